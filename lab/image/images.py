"""All disk images that a run of the lab needs, and the image ids under which the lab's EC2 knows them.

For: `python -m lab.image build` and every application that starts machines. Guarantees: two versions of the service's
image, so that a rollout has something to roll out; unchanged images come from the cache. Does not: start a machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.image.store import ImageStore

SERVICE = "influxdb"  # the service file that the lab's applications play, see services/
IMAGE_IDS: Mapping[str, str] = {"1": "ami-0a000000000000001", "2": "ami-0a000000000000002"}  # by version


@dataclass(frozen=True, kw_only=True)
class Images:
    """Disk images: those of instances by image id, and those of the lab's own machines."""

    instances: Mapping[str, Path]
    server: Path
    client: Path

    def by_role(self) -> dict[str, Path]:
        """Every image with a name for people."""
        versions = {image_id: version for version, image_id in IMAGE_IDS.items()}
        named = {f"instance, version {versions[image_id]}": path for image_id, path in self.instances.items()}
        return {"file server": self.server, "client": self.client, **named}


def build_images(store: ImageStore, service: str = SERVICE) -> Images:
    """Build what has changed and take the rest from the cache. Raises BuildFailed, LabPreconditionError, LabTimeout."""
    return Images(
        server=store.server(),
        client=store.client(),
        instances={
            image_id: store.instance(service=service, version=version) for version, image_id in IMAGE_IDS.items()
        },
    )
