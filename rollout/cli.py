"""The operator's command `soloist`: status, promote, rollback.

For: people and CI at a terminal. Guarantees: every step prints one sentence; every failure one line and a documented
exit code (docs/exit-codes.md); `--dry-run` prints the plan and changes nothing. Does not: deploy (`cdk deploy` does).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import boto3
import typer
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from rich.console import Console
from rich.table import Table

from rollout import promote as rollout
from rollout.errors import RolloutError
from rollout.observe import observe

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Roll a soloist service forward and back.")
console = Console()
Service = Annotated[str, typer.Argument(help="Name of the service, as in its service file.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")]
NoReplace = Annotated[bool, typer.Option("--no-replace", help="Leave the running instance; effective at next launch.")]
Deadline = Annotated[float, typer.Option("--deadline-s", help="How long to wait until ready, in seconds.")]


class AwsClients:
    """boto3 clients with bounded calls; the Region is AWS_REGION or boto3's usual one, the credentials are boto3's."""

    def __init__(self) -> None:
        config = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 4, "mode": "standard"})
        region = os.environ.get("AWS_REGION")  # botocore itself knows only AWS_DEFAULT_REGION and the profile's
        self.ec2: Any = boto3.client("ec2", region_name=region, config=config)
        self.autoscaling: Any = boto3.client("autoscaling", region_name=region, config=config)
        self.ssm: Any = boto3.client("ssm", region_name=region, config=config)


@app.command()
def status(service: Service) -> None:
    """Show versions, what is promoted, and what the running instance says of itself."""
    seen = _or_exit(lambda: observe(AwsClients(), service))
    table = Table(title=f"{seen.group_name}: launch template versions")
    for column in ("version", "image", "promoted", "group"):
        table.add_column(column)
    for version in seen.versions:
        promoted = "default" if version.number == seen.default_version else ""
        group = "boots this" if str(version.number) == seen.group_version else ""
        table.add_row(str(version.number), version.image_id, promoted, group)
    console.print(table)
    state = seen.state
    console.print(f"state: {state.phase or 'none yet'}: {state.sentence or 'nothing reported'}", highlight=False)
    if state.generation not in ("", "0"):
        console.print(f"lease: generation {state.generation} of {state.instance_id}", highlight=False)
    if state.image_id and state.image_id not in {v.image_id for v in seen.versions if v.number == seen.default_version}:
        console.print(f"note: {state.instance_id} runs {state.image_id}, which is not the promoted version's image")
    if str(seen.default_version) != seen.group_version:
        console.print("note: group and default version differ; promote again to mend it")


@app.command()
def promote(
    service: Service,
    version: Annotated[int | None, typer.Option(help="Version to promote; default: the newest.")] = None,
    *,
    dry_run: DryRun = False,
    no_replace: NoReplace = False,
    deadline_s: Deadline = 900.0,
) -> None:
    """Make a staged version the one that boots, end the running instance, wait until the new one is ready."""
    _roll(service, lambda _clients, _seen: version, dry_run=dry_run, replace=not no_replace, deadline_s=deadline_s)


@app.command()
def rollback(
    service: Service, *, dry_run: DryRun = False, no_replace: NoReplace = False, deadline_s: Deadline = 900.0
) -> None:
    """Promote the version that was promoted before the present one."""
    _roll(service, rollout.previous_version, dry_run=dry_run, replace=not no_replace, deadline_s=deadline_s)


def _roll(service: str, choose: Callable[..., int | None], *, dry_run: bool, replace: bool, deadline_s: float) -> None:
    def run() -> None:
        clients = AwsClients()
        seen = observe(clients, service)
        plan = rollout.plan_promotion(seen, choose(clients, seen), replace=replace)
        if not plan.steps:
            console.print(f"{service}: version {plan.to_version} is promoted and running; nothing to do")
            return
        if dry_run:
            for number, step in enumerate(plan.steps, 1):
                console.print(f"{number}. would: {step.sentence}", highlight=False)
            return
        rollout.execute(clients, seen, plan, _say)
        ended = tuple(step.instance_id for step in plan.steps if step.action == "end-instance")
        if not ended:
            return
        started = time.monotonic()
        state = rollout.wait_until_ready(clients, plan, _SystemClock(), deadline_s=deadline_s, ended=ended)
        waited_s = time.monotonic() - started
        _say(f"ready in {state.zone} on {state.image_id} as {state.instance_id}, {waited_s:.0f} s later")

    _or_exit(run)


class _SystemClock:
    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)


def _say(sentence: str) -> None:
    console.print(sentence, highlight=False)


def _or_exit(run: Callable[[], Any]) -> Any:
    try:
        return run()
    except RolloutError as error:
        _fail(str(error), error.exit_code)
    except BotoCoreError as error:
        _fail(f"AWS cannot be used from here: {error} Set AWS_REGION and credentials, then try again", 4)


def _fail(message: str, code: int) -> NoReturn:
    print(f"soloist: {message}", file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    app()
