"""`make lab-deploy`: deploy a service's synthesized templates to a fresh control plane, twice, and say what changed.

For: seeing what a deployment does, and that the second one does nothing. Guarantees: exit code 0 only if the second
deployment changed nothing; what is printed comes from the call log, resource by resource. Does not: run machines.
"""

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from lab.aws import ControlPlane, NoMachines
from lab.aws.core.call_log import Call
from lab.base.errors import LabError
from lab.play.deployment import deploy
from lab.play.synthesis import Template, synthesize

IMAGE_ID = "ami-0a000000000000001"
REGION = "us-east-1"
VERBS = {"Create": "created", "Update": "updated", "Delete": "deleted"}


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What one deployment came to: `created`, `updated` or `unchanged`, and its work on single resources."""

    outcome: str
    work: tuple[Call, ...]

    @property
    def sentence(self) -> str:
        """Such as "created 47 resources"; "no changes" for none."""
        counts = Counter(self._verb(call) for call in self.work)
        return ", ".join(f"{verb} {n} resource{'s' * (n != 1)}" for verb, n in counts.items()) or "no changes"

    def lines(self) -> list[str]:
        """Each resource that was worked on: what was done, type, logical id, physical id."""
        return [
            f"{self._verb(call):8} {''.join(call.keys['cloudformation:ResourceTypes']):40} "
            f"{call.keys['logical-id']}  {call.keys['physical-id']}"
            for call in self.work
        ]

    def _verb(self, call: Call) -> str:
        return VERBS[call.action.removeprefix("cloudformation:").removesuffix("Resource")]


def deploy_noting(plane: ControlPlane, cloudformation: Any, template: Template) -> Deployment:
    """Deploy `template` and note what CloudFormation did. Raises LabError when the deployment fails."""
    before = len(plane.calls.calls())
    outcome = deploy(cloudformation, template)
    since = plane.calls.calls()[before:]
    return Deployment(outcome=outcome, work=tuple(call for call in since if call.caller.kind == "cloudformation"))


def main(arguments: list[str] | None = None) -> int:
    """Synthesize, deploy, deploy again. Exit codes: docs/runbook.md."""
    parser = argparse.ArgumentParser(prog="make lab-deploy", description=__doc__)
    parser.add_argument("--service", default="influxdb", help="a service file of services/, without .yaml")
    service = parser.parse_args(arguments).service
    try:
        return _deploy_twice(service)
    except LabError as error:
        print(f"lab-deploy: {error}", file=sys.stderr)
        return error.exit_code


def _deploy_twice(service: str) -> int:
    with tempfile.TemporaryDirectory(prefix="soloist-") as directory:
        print(f"lab-deploy: cdk synth of {service}", flush=True)
        template = synthesize(service, IMAGE_ID, Path(directory))
        with ControlPlane(NoMachines(), address="127.0.0.1", port=0) as plane:
            plane.register_image(IMAGE_ID, f"{service}-1")
            cloudformation = boto3.client(
                "cloudformation",
                REGION,
                endpoint_url=plane.endpoint_url,
                aws_access_key_id="operator",
                aws_secret_access_key="operator",
            )
            first = deploy_noting(plane, cloudformation, template)
            print(*first.lines(), sep="\n")
            print(f"first deployment: {first.sentence}; template sha256 {template.sha256[:12]}")
            second = deploy_noting(plane, cloudformation, template)
            print(*second.lines(), sep="\n", end="\n" if second.work else "")
            print(f"second deployment: {second.sentence}")
    return 0 if (second.outcome, second.work) == ("unchanged", ()) else 1


if __name__ == "__main__":
    sys.exit(main())
