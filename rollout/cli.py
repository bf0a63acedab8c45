"""The operator's command `soloist`: status, promote, rollback, clear, pause, resume, zones.

For: people and CI at a terminal. Guarantees: every step prints one sentence; every failure one line and a documented
exit code (docs/runbook.md); `--dry-run` prints the plan and changes nothing. Does not: deploy (`cdk deploy` does).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table

from bootstrap.base.names import FIRST_VERSION
from bootstrap.base.notices import NoticeSettings
from rollout.aws import AwsClients, Clients, as_rollout_error
from rollout.breaker import check_not_broken, read_memory, said_of
from rollout.breaker import clear as clear_breaker
from rollout.errors import INTERRUPTED, PreconditionError, RolloutError
from rollout.fit import check_fit, deprecation_of, read_image
from rollout.maintenance import pause as ask_for_pause
from rollout.maintenance import resume as end_pause
from rollout.maintenance import seconds_of
from rollout.observe import Observed, observe
from rollout.promote import execute, plan_promotion, previous_version, wait_until_ready
from rollout.stack import SystemClock
from rollout.zones import look_up_zones, write_zones
from services.findings import ServiceFileError
from services.load import load_service

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Roll a soloist service forward and back.",
)
console = Console(markup=False)  # names may have brackets
Service = Annotated[str, typer.Argument(help="Name of the service, as in its service file.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")]
NoReplace = Annotated[bool, typer.Option("--no-replace", help="Leave the running instance; effective at next launch.")]
LONGEST_WAIT_S = 24 * 3600.0
Deadline = Annotated[float, typer.Option("--deadline-s", help="How long to wait until ready, in seconds.")]


@app.command()
def status(service: Service) -> None:
    """Show versions, what is promoted, and what the running instance says of itself."""
    with _told_in_one_line():
        clients = AwsClients()
        seen, memory = observe(clients, service), read_memory(clients, service)
        promoted_image = seen.version(seen.promoted).image_id
        used = dict.fromkeys(one for one in (promoted_image, seen.state.image_id) if one)
        ages = [deprecation_of(read_image(clients, one), datetime.now(UTC)) for one in used]
    table = Table(title=f"{seen.group_name}: launch template versions")
    for column in ("version", "image", "promoted", "staged", "instances"):
        table.add_column(column)
    for version in seen.versions:
        promoted = "the group boots this" if version.number == seen.promoted else ""
        staged = "by the last deploy" if version.description and version.description == seen.stack.staged else ""
        running = [one.instance_id for one in seen.members if one.version == str(version.number)]
        table.add_row(str(version.number), version.image_id, promoted, staged, ", ".join(running))
    console.print(table)
    console.print(f"stack: {seen.stack.status}", highlight=False)
    if seen.types:
        console.print(f"types: {', '.join(seen.types)}: the first one that has capacity", highlight=False)
    state = seen.state
    console.print(f"state: {state.phase}: {state.sentence or 'nothing reported'}", highlight=False)
    for sentence in said_of(memory):
        console.print(sentence, highlight=False)
    if state.generation:
        console.print(f"lease: generation {state.generation} of {state.instance_id}", highlight=False)
    for age in filter(None, ages):
        console.print(age, highlight=False)
    if state.image_id not in ("", promoted_image):
        console.print(f"note: {state.instance_id} runs {state.image_id}, which is not the promoted version's image")
    if seen.stack.promoted not in (FIRST_VERSION, seen.group_version):
        console.print(
            f"note: the group launches version {seen.group_version}, the stack says {seen.stack.promoted}; "
            "the next deploy writes the stack's. Promote a version to make them the same",
            highlight=False,
        )


@app.command()
def promote(
    service: Service,
    version: Annotated[
        int | None, typer.Option(help="Version to promote; default: the one the last deploy staged.")
    ] = None,
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

    _roll(
        service,
        choose,
        dry_run=dry_run,
        replace=not no_replace,
        deadline_s=deadline_s,
        is_rollback=to_version is None,
    )


@app.command()
def clear(service: Service) -> None:
    """Say that the images are mended: the crash-loop breaker forgets which versions did not boot."""
    with _told_in_one_line():
        before = clear_breaker(AwsClients(), service)
    bad = ", ".join(before.broken) or "no version"
    _say(f"{service}: the breaker begins anew; before, it had gone back from {bad}")


@app.command()
def pause(
    service: Service,
    length: Annotated[str, typer.Option("--for", help="How long, for instance 90m, 2h or 1d.")],
    why: Annotated[str, typer.Option("--why", help="What people read in state and messages.")],
) -> None:
    """Maintenance mode: nothing is restarted or replaced for its health, until the time is over or `resume`."""
    with _told_in_one_line():
        wanted = ask_for_pause(AwsClients(), service, for_s=seconds_of(length), why=why)
    _say(f"{service} is in maintenance for {wanted.for_s / 60:.0f} min, within a minute: {wanted.why}")


@app.command()
def resume(service: Service) -> None:
    """End maintenance mode."""
    with _told_in_one_line():
        was_paused = end_pause(AwsClients(), service)
    _say(f"{service} is looked after again, within a minute" if was_paused else f"{service} is not in maintenance")


@app.command()
def zones(
    file: Annotated[Path, typer.Argument(help="The service file.")],
    *,
    dry_run: DryRun = False,
) -> None:
    """Look up the zones that this account may use and that offer the instance types; write them into the file."""
    with _told_in_one_line():
        try:
            service = load_service(file)
        except ServiceFileError:  # most of all one without zones
            service = load_service(file, zone_letters="a")
        else:
            _say(f"{file} names its zones already: {', '.join(plan.name for plan in service.zone_plans())}")
            return
        found = look_up_zones(AwsClients(service.region).ec2, service.region, service.instance.types)
        if not dry_run:
            write_zones(file, found)
        _say(f"{file}: {'would write' if dry_run else 'wrote'} zones: [{', '.join(found)}]")


def _roll(
    service: str,
    choose: Callable[[Clients, Observed], int | None],
    *,
    dry_run: bool,
    replace: bool,
    deadline_s: float,
    is_rollback: bool = False,
) -> None:
    with _told_in_one_line():
        if not 0 <= deadline_s <= LONGEST_WAIT_S:  # so that `nan` is refused, too
            raise PreconditionError(f"--deadline-s {deadline_s:g}: Give seconds from 0 to {LONGEST_WAIT_S:.0f}")
        clients, clock = AwsClients(), SystemClock()
        seen = observe(clients, service)
        plan = plan_promotion(seen, choose(clients, seen), replace=replace, is_rollback=is_rollback)
        if plan.changes:
            check_not_broken(read_memory(clients, service), service, plan.to_version)
            image = check_fit(clients, seen, seen.version(plan.to_version))
            if age := deprecation_of(image, datetime.now(UTC), NoticeSettings().image_deprecation_days):
                _say(f"note: {age}")
        is_running = seen.serves(plan.to_version)
        if not plan.changes and (is_running or not replace or dry_run):
            running = "promoted and running" if is_running else "promoted"
            console.print(f"{service}: version {plan.to_version} is {running}; nothing to do")
            return
        if dry_run:
            for number, change in enumerate(plan.changes, 1):
                console.print(f"{number}. would: {change.sentence}", highlight=False)
            return
        if not plan.changes:
            _say(f"version {plan.to_version} is promoted; its instance is not ready yet")
        execute(clients, seen, plan, _say, clock=clock)
        if not replace:
            return
        started = clock.monotonic()
        state = wait_until_ready(clients, plan, clock, deadline_s=deadline_s)
        waited_s = clock.monotonic() - started
        _say(f"ready in {state.zone} on {state.image_id} as {state.instance_id}, {waited_s:.0f} s later")


def _say(sentence: str) -> None:
    console.print(sentence, highlight=False)


@contextmanager
def _told_in_one_line() -> Iterator[None]:
    """Whatever fails ends in one line on standard error and its exit code."""
    try:
        yield
    except (RolloutError, ServiceFileError) as error:
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
