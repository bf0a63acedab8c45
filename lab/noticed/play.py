"""Plays one case: makes it happen, and waits until it was noticed and somebody serves.

For: `make noticed` and tests/lab/test_noticed.py. Guarantees: each case begins with a healthy service; what it leaves
wrong is undone, also where it does not end; EC2's status checks are as slow here as AWS's own.
Does not: judge how long something may take.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from bootstrap.base.names import watchdog_parameter
from lab.aws import AWS, FAST
from lab.base.checkout import SERVICE_FILES
from lab.base.errors import LabError, LabTimeout
from lab.base.waiting import wait_for
from lab.image.images import IMAGE_IDS, SERVICE
from lab.noticed import signs
from lab.noticed.cases import Case
from lab.noticed.table import Noticed
from lab.play.scenes import deploy_scene, first_boot_scene, synthesized
from lab.play.stage import Stage

SETTLE_S = 60  # the least that a service file may say
WATCHDOG = {"settle_s": SETTLE_S, "boot_silence_s": 60}
LAUNCH_HOOK_S = 60  # a boot nobody vouches for is over by then; the default is ten minutes
GOOD_LIMIT_S = 240.0
MEMORY_LIMIT_S = SETTLE_S + 120.0
TIMING = replace(FAST, impaired_after_s=AWS.impaired_after_s, impaired_replace_s=AWS.impaired_replace_s)


def begin(stage: Stage, directory: Path) -> None:
    """Deploy the service with its watchdog, and wait until it serves."""
    services = directory / "services"
    services.mkdir(parents=True)
    tree = yaml.safe_load((SERVICE_FILES / f"{SERVICE}.yaml").read_text())
    tree |= {"watchdog": WATCHDOG, "lifecycle_hooks": {"boot_heartbeat_s": LAUNCH_HOOK_S}}
    (services / f"{SERVICE}.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
    deploy_scene(stage, *synthesized(SERVICE, IMAGE_IDS["1"], directory / "template", services))
    first = first_boot_scene(stage)
    if not first.healed:
        raise LabError(f"the first boot did not end: {first.reason}")
    remembered(
        stage, lambda memory: bool(memory.get("boot", {}).get("answered_on")), "the watchdog to reach the instance"
    )


def play_case(stage: Stage, case: Case) -> Noticed:
    """Make it happen, and wait until it was noticed and somebody serves."""
    await_good(stage)
    if case.needs_good_version:
        remembered(stage, lambda memory: bool(memory.get("good")), "the watchdog to call a version good")
    forget_the_last_one(stage)
    since = signs.now(stage)
    machine = stage.lab.hypervisor.machine(since.standing.instance_id)
    if machine is None:
        raise LabError(f"{case.name}: the machine of {since.standing.instance_id} is not there")
    stage.say(f"CASE {case.name}")
    began_s = time.monotonic()
    end = threading.Timer(case.lasts_s or 0.0, case.undo, (stage, since.standing))
    found = Noticed(case=case.name, noticed_s=None, by="nobody", served_again_s=None, told=(), is_as_it_should_be=False)
    try:
        if case.lasts_s is not None:
            end.start()
        case.act(stage, since.standing, machine)
        found = _await_notice(stage, case, since, began_s, found)
        if case.is_undone_when_noticed:
            case.undo(stage, since.standing)
        wait_for(
            lambda: _is_served(stage, case, since, began_s),
            f"{case.name}: somebody to serve",
            deadline_s=case.serve_limit_s,
            describe=lambda: stage.standing().missing,
        )
        found = replace(found, served_again_s=round(time.monotonic() - began_s, 1))
    except LabTimeout as timeout:
        stage.say(str(timeout))
    finally:
        end.cancel()
        case.undo(stage, since.standing)
    found = judged(case, replace(found, told=signs.told(stage, since)))
    stage.say(f"CASE {case.name}: {found}")
    return found


def _await_notice(stage: Stage, case: Case, since: signs.Since, began_s: float, found: Noticed) -> Noticed:
    """`found` with who has noticed it. Of a case that is ridden out: nobody until it is over, or who has."""
    limit_s = case.notice_limit_s if case.by else (case.lasts_s or 0.0)
    try:
        by = wait_for(lambda: case.seen(stage, since), f"{case.name}: somebody to notice", deadline_s=limit_s)
    except LabTimeout:
        if case.by:
            raise
        return found
    return replace(found, by=by, noticed_s=round(time.monotonic() - began_s, 1))


def judged(case: Case, found: Noticed) -> Noticed:
    is_noticed = found.by in case.by if case.by else found.noticed_s is None
    is_told = case.message in found.told if case.message else not found.told
    return replace(found, is_as_it_should_be=is_noticed and is_told and found.served_again_s is not None)


def _is_served(stage: Stage, case: Case, since: signs.Since, began_s: float) -> bool:
    now = stage.standing()
    is_other = now.instance_id != since.standing.instance_id
    last_s = stage.lab.ledger.snapshot(time.monotonic()).last_acknowledged_s or 0.0
    after_s = began_s + 1.0 + ((case.lasts_s or 0.0) if not case.by else 0.0)
    return now.is_good and is_other == case.has_other_instance and last_s > after_s


def await_good(stage: Stage) -> None:
    wait_for(
        lambda: stage.standing().is_good,
        "a healthy service",
        deadline_s=GOOD_LIMIT_S,
        describe=lambda: stage.standing().missing,
    )


def forget_the_last_one(stage: Stage) -> None:
    """The watchdog ends one instance in half an hour at most; each case is the first one for it."""
    ssm: Any = stage.lab.boto3_client("ssm")
    name = watchdog_parameter(SERVICE)
    memory = json.loads(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    memory |= {"acted_on": "", "acted_at": 0.0}
    ssm.put_parameter(Name=name, Value=json.dumps(memory), Type="String", Overwrite=True)


def remembered(stage: Stage, is_so: Callable[[dict[str, Any]], bool], what: str) -> None:
    """Wait until the watchdog's memory says it."""
    ssm: Any = stage.lab.boto3_client("ssm")

    def look() -> bool:
        return is_so(json.loads(ssm.get_parameter(Name=watchdog_parameter(SERVICE))["Parameter"]["Value"]))

    wait_for(look, what, deadline_s=MEMORY_LIMIT_S, poll_s=1.0)
