"""Names and paths have one home; what the image's scripts and units repeat of them is the same."""

import re
from pathlib import Path

import pytest

from bootstrap.base import names
from bootstrap.base.paths import RUN, SERVICE_GROUP, Paths
from bootstrap.fence.protocol import GRANTED_NAME

AMI = Path(__file__).resolve().parents[4] / "ami"
ON_THE_INSTANCE = re.compile(r"/(?:run|srv|etc|opt)/soloist(?:/[A-Za-z0-9_.-]+)*")
OF_THE_IMAGE = "/opt/soloist"  # interpreter and code: the agent is told none of these paths


def known_paths() -> set[str]:
    paths = Paths()
    named = [paths.data_root, paths.lease_root, paths.run, paths.factory, paths.image, paths.generation_environment]
    return {str(path) for path in [*named, RUN / GRANTED_NAME]}


def is_known(path: str) -> bool:
    """The path itself, or a directory above one that is known."""
    return path.startswith(OF_THE_IMAGE) or any(f"{known}/".startswith(f"{path}/") for known in known_paths())


def scripts() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in [*AMI.glob("*.sh"), *AMI.glob("units/*")]}


def test_names_of_two_services_are_never_the_same() -> None:
    makers = [names.stack_name, names.state_parameter, names.rollouts_parameter]
    made = [make(service) for make in makers for service in ("a", "b")]
    assert len(set(made)) == len(made)
    assert names.access_point_path("a", "data") != names.access_point_path("a", "lease")


@pytest.mark.parametrize("name", sorted(scripts()))
def test_every_path_in_the_images_scripts_is_one_the_agent_knows(name: str) -> None:
    found = set(ON_THE_INSTANCE.findall(scripts()[name]))
    assert {path for path in found if not is_known(path)} == set()


def test_the_scripts_name_what_systemd_and_the_agent_must_agree_on() -> None:
    text = "\n".join(scripts().values())
    for path in (Paths().generation_environment, RUN / GRANTED_NAME, Paths().image, Paths().data_root):
        assert str(path) in text
    assert f"Slice={SERVICE_GROUP.name}" in text


@pytest.mark.parametrize("path", ["/run/soloist/allowed", "/srv/soloist/dat", "/etc/soloist/image.yaml"])
def test_another_spelling_would_be_seen(path: str) -> None:
    assert not is_known(path)
