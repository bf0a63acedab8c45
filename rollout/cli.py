"""The operator's command `soloist`: status, promote, rollback.

For: people and CI at a terminal. Guarantees: every step prints one sentence; every failure one line and a documented
exit code (docs/exit-codes.md); `--dry-run` prints the plan and changes nothing. Does not: deploy (`cdk deploy` does).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table

from rollout.aws import AwsClients, Clients, as_rollout_error
from rollout.errors import INTERRUPTED, RolloutError
from rollout.observe import Observed, observe
from rollout.promote import execute, plan_promotion, previous_version, wait_until_ready

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Roll a soloist service forward and back.",
)
console = Console()
Service = Annotated[str, typer.Argument(help="Name of the service, as in its service file.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")]
NoReplace = Annotated[bool, typer.Option("--no-replace", help="Leave the running instance; effective at next launch.")]
Deadline = Annotated[float, typer.Option("--deadline-s", help="How long to wait until ready, in seconds.")]


@app.command()
def status(service: Service) -> None:
    """Show versions, what is promoted, and what the running instance says of itself."""
    with _told_in_one_line():
        seen = observe(AwsClients(), service)
    table = Table(title=f"{seen.group_name}: launch template versions")
    for column in ("version", "image", "promoted", "group"):
        table.add_column(column)
    for version in seen.versions:
        promoted = "default" if version.number == seen.default_version else ""
        group = "boots this" if str(version.number) == seen.group_version else ""
        table.add_row(str(version.number), version.image_id, promoted, group)
    console.print(table)
    state = seen.state
    console.print(f"state: {state.phase}: {state.sentence or 'nothing reported'}", highlight=False)
    if state.generation:
        console.print(f"lease: generation {state.generation} of {state.instance_id}", highlight=False)
    if state.image_id and state.image_id not in {v.image_id for v in seen.versions if v.number == seen.default_version}:
        console.print(f"note: {state.instance_id} runs {state.image_id}, which is not the promoted version's image")
    if str(seen.default_version) != seen.group_version:
        console.print("note: group and default version differ; promote again to make them the same")


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
    service: Service,
    to_version: Annotated[
        int | None, typer.Option(help="Version to go back to; default: the one promoted before the present one.")
    ] = None,
    *,
    dry_run: DryRun = False,
    no_replace: NoReplace = False,
    deadline_s: Deadline = 900.0,
) -> None:
    """Promote the version that was promoted before the present one, or the one given."""

    def choose(clients: Clients, seen: Observed) -> int:
        return previous_version(clients, seen) if to_version is None else to_version

    _roll(service, choose, dry_run=dry_run, replace=not no_replace, deadline_s=deadline_s)


def _roll(
    service: str,
    choose: Callable[[Clients, Observed], int | None],
    *,
    dry_run: bool,
    replace: bool,
    deadline_s: float,
) -> None:
    with _told_in_one_line():
        clients = AwsClients()
        seen = observe(clients, service)
        plan = plan_promotion(seen, choose(clients, seen), replace=replace)
        if not plan.changes:
            console.print(f"{service}: version {plan.to_version} is promoted and running; nothing to do")
            return
        if dry_run:
            for number, change in enumerate(plan.changes, 1):
                console.print(f"{number}. would: {change.sentence}", highlight=False)
            return
        execute(clients, seen, plan, _say)
        if not plan.ended:
            return
        started = time.monotonic()
        state = wait_until_ready(clients, plan, _SystemClock(), deadline_s=deadline_s, ended=plan.ended)
        waited_s = time.monotonic() - started
        _say(f"ready in {state.zone} on {state.image_id} as {state.instance_id}, {waited_s:.0f} s later")


class _SystemClock:
    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)


def _say(sentence: str) -> None:
    console.print(sentence, highlight=False)


@contextmanager
def _told_in_one_line() -> Iterator[None]:
    """Whatever fails ends in one line on standard error and its exit code."""
    try:
        yield
    except RolloutError as error:
        _fail(str(error), error.exit_code)
    except (ClientError, BotoCoreError) as error:  # a call that nobody has put into words
        known = as_rollout_error("a call of AWS failed", error)
        _fail(str(known), known.exit_code)
    except KeyboardInterrupt:
        _fail("stopped by Ctrl-C. The same command completes what it began", INTERRUPTED)


def _fail(message: str, code: int) -> NoReturn:
    print(f"soloist: {message}", file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    app()
