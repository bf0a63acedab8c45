"""Templates of changed service files, as the stacks render them, for deployments to the lab's AWS."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.play.synthesis import Template
from services.load import parse_service

NAME = "soloist-influxdb"
Change = Callable[[dict[str, Any]], None]


def template_of(tree: dict[str, Any], out: Path, change: Change, tags: dict[str, str]) -> Template:
    """The template of a service file, changed."""
    os.environ["CDK_VALIDATION"] = "false"
    import stacks  # noqa: F401  first: finds Node for the CDK

    # isort: split
    import aws_cdk as cdk

    from stacks.service_stack import ServiceStack

    app = cdk.App(outdir=str(out))
    ServiceStack(app, service=parse_service(tree, source="test"))
    app.synth()
    path = out / f"{NAME}.template.json"
    body = json.loads(path.read_text())
    change(body)
    path.write_text(json.dumps(body))
    return Template(stack_name=NAME, path=path, sha256="", tags=tags)
