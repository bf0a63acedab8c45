"""`make noticed`: what goes wrong on real machines, who notices it, after how long, and when somebody serves again.

For: docs/failure-modes.md, whose figures are from here, and tests/lab/test_noticed.py, which plays some cases.
Guarantees: each case begins with a healthy service and is played once; a case counts as noticed when somebody does
something about it: the agent, the fence, EC2's status checks or the watchdog function; the report has every case.
EC2's status checks are as slow here as AWS's own. Does not: say how long a boot takes on AWS (docs/lab-fidelity.md).
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from bootstrap.base.names import stack_name, watchdog_parameter
from lab.aws import AWS, FAST
from lab.base.checkout import BUILD, SERVICE_FILES
from lab.base.errors import LabError, LabTimeout
from lab.base.output import output
from lab.base.run_directory import run_directory
from lab.base.waiting import wait_for
from lab.hardware.probe import Kernel
from lab.hardware.uml import UmlMachine
from lab.image.images import IMAGE_IDS, SERVICE, Images
from lab.play import program
from lab.play.scenes import deploy_scene, first_boot_scene, synthesized
from lab.play.stage import Stage, open_stage
from lab.play.standing import Standing

ACTIONS = (  # by which somebody ends an instance, or a bad image
    "autoscaling:SetInstanceHealth",
    "autoscaling:UpdateAutoScalingGroup",
)
NOTICED_LIMIT_S = 180.0
SERVED_LIMIT_S = 240.0
SETTLE_S = 60  # the least that a service file may say
WATCHDOG = {"settle_s": SETTLE_S, "boot_silence_s": 60}
HEALTHY = "healthy"  # what the supervisor says of a service that is
LAUNCH_HOOK_S = 60  # a boot nobody vouches for is over by then; the default is ten minutes
BAD_IMAGE = "ami-0badbadbadbadbad0"  # registered, and no disk is there: its machines never start
TIMING = replace(FAST, impaired_after_s=AWS.impaired_after_s, impaired_replace_s=AWS.impaired_replace_s)


@dataclass(frozen=True, kw_only=True)
class Noticed:
    """How one case went. Seconds count from the moment when it happened; None where it did not come."""

    case: str
    noticed_s: float | None
    by: str
    served_again_s: float | None
    told: bool


@dataclass(frozen=True, kw_only=True)
class Case:
    """`act` makes it happen to the machine that serves; `undo` is called at its end. `message`: the kind of what people
    are told."""

    name: str
    act: Callable[[Stage, Standing, UmlMachine], None]
    message: str
    undo: Callable[[Stage, Standing], None] = lambda _stage, _before: None
    has_other_instance: bool = True  # afterwards
    ends_instance: bool = False  # as a part of what happens: then only the message says that it was noticed


def main() -> int:
    """Prepare outside, play inside a namespace. Exit codes: docs/runbook.md."""
    return program.run("noticed", ["lab.noticed"], lambda kernel, images: play(kernel, images, BUILD / "noticed"))


def play(kernel: Kernel, images: Images, out: Path) -> int:
    """Play all cases and write the report; 0 if each was noticed, told and healed."""
    problems: list[str] = []
    found: list[Noticed] = []
    with output(out) as unfinished, run_directory() as directory:
        with open_stage(kernel, images, directory / "run", problems, timing=TIMING) as stage:
            begin(stage, directory)
            for case in CASES:
                print(f"noticed: {case.name}", flush=True)
                found.append(play_case(stage, case))
                print(f"noticed: {_row(found[-1])}", flush=True)
        (unfinished / "report.json").write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")
        (unfinished / "report.md").write_text(table(found))
    print(table(found))
    for problem in problems:
        print(f"lab: {problem}")
    untold = {one.name for one in CASES if not one.message}  # a restart here is in the log and in the state
    healed = all(one.served_again_s is not None and (one.told or one.case in untold) for one in found)
    return 0 if healed else 1


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
    before = stage.standing()
    machine = stage.lab.hypervisor.machine(before.instance_id)
    if machine is None:
        raise LabError(f"{case.name}: the machine of {before.instance_id} is not there")
    if case.ends_instance:
        remembered(stage, lambda memory: bool(memory.get("good")), "the watchdog to call a version good")
    forget_the_last_one(stage)
    told = len(stage.lab.control_plane.messages(stack_name(SERVICE)))
    stage.say(f"CASE {case.name}")
    calls = len(stage.lab.control_plane.calls.calls())
    began_s = time.monotonic()
    case.act(stage, before, machine)
    served_s, noticed_s, by = None, None, "nobody"
    try:
        by = wait_for(
            lambda: _told_of(stage, case, told) if case.ends_instance else noticed_by(stage, before, calls),
            f"{case.name}: somebody to notice",
            deadline_s=NOTICED_LIMIT_S,
        )
        noticed_s = round(time.monotonic() - began_s, 1)
        wait_for(
            lambda: is_served(stage, before, case, began_s),
            f"{case.name}: somebody to serve",
            deadline_s=SERVED_LIMIT_S,
            describe=lambda: stage.standing().missing,
        )
        served_s = round(time.monotonic() - began_s, 1)
    except LabTimeout as timeout:
        stage.say(str(timeout))
    finally:
        case.undo(stage, before)
    kinds = [kind_of(one) for one in stage.lab.control_plane.messages(stack_name(SERVICE))[told:]]
    found = Noticed(case=case.name, noticed_s=noticed_s, by=by, served_again_s=served_s, told=case.message in kinds)
    stage.say(f"CASE {case.name}: {found}")
    return found


def noticed_by(stage: Stage, before: Standing, calls: int) -> str:
    """Who has done something about it since the call number `calls`; "" for nobody yet."""
    for call in stage.lab.control_plane.calls.calls()[calls:]:
        if call.action in ACTIONS and ":assumed-role/" in call.caller.arn:
            return "watchdog" if "watchdog" in call.caller.arn.lower() else "agent"
    if stage.lab.hypervisor.machine(before.instance_id) is None:
        return "fence"
    group = stage.lab.control_plane.group(stack_name(SERVICE))
    members = {one.instance_id: one for one in group.members} if group else {}
    mine = members.get(before.instance_id)
    if mine is None or mine.lifecycle_state != "InService":
        return "EC2"
    state = stage.standing()
    is_mine = state.instance_id == before.instance_id
    return "agent" if is_mine and state.sentence not in (before.sentence, HEALTHY) else ""


def _told_of(stage: Stage, case: Case, told: int) -> str:
    messages = stage.lab.control_plane.messages(stack_name(SERVICE))[told:]
    return "watchdog" if case.message in map(kind_of, messages) else ""


def is_served(stage: Stage, before: Standing, case: Case, since_s: float) -> bool:
    now = stage.standing()
    is_other = now.instance_id != before.instance_id
    last_s = stage.lab.ledger.snapshot(time.monotonic()).last_acknowledged_s or 0.0
    return now.is_good and is_other == case.has_other_instance and last_s > since_s + 1.0


def await_good(stage: Stage) -> None:
    wait_for(
        lambda: stage.standing().is_good,
        "a healthy service",
        deadline_s=240.0,
        describe=lambda: stage.standing().missing,
    )


def kind_of(message: dict[str, Any]) -> str:
    return str(message["attributes"].get("kind", ""))


def forget_the_last_one(stage: Stage) -> None:
    """The watchdog ends one instance in half an hour at most; each case is the first one for it."""
    ssm: Any = stage.lab.boto3_client("ssm")
    name = watchdog_parameter(SERVICE)
    memory = json.loads(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    memory |= {"acted_on": "", "acted_at": 0.0}
    ssm.put_parameter(Name=name, Value=json.dumps(memory), Type="String", Overwrite=True)


def remembered(
    stage: Stage, is_so: Callable[[dict[str, Any]], bool], what: str, deadline_s: float = SETTLE_S + 120.0
) -> None:
    """Wait until the watchdog's memory says it."""
    ssm: Any = stage.lab.boto3_client("ssm")

    def look() -> bool:
        return is_so(json.loads(ssm.get_parameter(Name=watchdog_parameter(SERVICE))["Parameter"]["Value"]))

    wait_for(look, what, deadline_s=deadline_s, poll_s=1.0)


# ------------------------------------------------------------------ cases
def freeze(_stage: Stage, _before: Standing, machine: UmlMachine) -> None:
    machine.freeze()


def kill_service(_stage: Stage, _before: Standing, machine: UmlMachine) -> None:
    machine.exec("systemctl kill --signal=KILL influxdb", 20.0)


def disable_agent(_stage: Stage, _before: Standing, machine: UmlMachine) -> None:
    """Their units are gone, so nobody starts them again; the service, which is bound to them, stops."""
    units = "soloist-agent.service soloist-fence.service"
    done = machine.exec(
        f"main=$(systemctl show --property=MainPID --value {units}); "
        f"rm $(systemctl show --property=FragmentPath --value {units}); "
        "systemctl daemon-reload; kill -KILL $main",
        20.0,
    )
    if done.exit_code:
        raise LabError(f"agent and fence were not killed: {done.output.strip()}")


def isolate(stage: Stage, before: Standing, _machine: UmlMachine) -> None:
    prefer_others(stage, before)
    stage.lab.network.cut_zone(before.zone)


def join(stage: Stage, before: Standing) -> None:
    stage.lab.network.heal_zone(before.zone)


def prefer_others(stage: Stage, before: Standing) -> None:
    group = stage.lab.control_plane.group(stack_name(SERVICE))
    stage.lab.control_plane.prefer_zones([zone for zone in group.zones if zone != before.zone] if group else [])


def launch_from_a_bad_image(stage: Stage, before: Standing, _machine: UmlMachine) -> None:
    """As `soloist promote` would: the group boots an image whose machines never start."""
    stage.lab.control_plane.register_image(BAD_IMAGE, "bad")
    ec2: Any = stage.lab.boto3_client("ec2")
    group: Any = stage.lab.boto3_client("autoscaling")
    (mine,) = group.describe_auto_scaling_groups(AutoScalingGroupNames=[stack_name(SERVICE)])["AutoScalingGroups"]
    template = mine["LaunchTemplate"]["LaunchTemplateId"]
    made = ec2.create_launch_template_version(
        LaunchTemplateId=template,
        SourceVersion=mine["LaunchTemplate"]["Version"],
        LaunchTemplateData={"ImageId": BAD_IMAGE},
    )["LaunchTemplateVersion"]["VersionNumber"]
    group.update_auto_scaling_group(
        AutoScalingGroupName=stack_name(SERVICE),
        LaunchTemplate={"LaunchTemplateId": template, "Version": str(made)},
    )
    group.terminate_instance_in_auto_scaling_group(InstanceId=before.instance_id, ShouldDecrementDesiredCapacity=False)


CASES = (
    Case(name="service killed", act=kill_service, message="", has_other_instance=False),
    Case(name="machine frozen", act=freeze, message="watchdog-acted"),
    Case(name="agent and fence killed for good", act=disable_agent, message="watchdog-acted"),
    Case(name="zone cut off", act=isolate, message="took-over", undo=join),
    Case(
        name="image that does not boot, twice", act=launch_from_a_bad_image, message="rolled-back", ends_instance=True
    ),
)


def table(found: list[Noticed]) -> str:
    """As docs/failure-modes.md shows it."""
    rows = [_row(one) for one in found]
    head = "| case | noticed by | after | served again after | told |\n| --- | --- | --- | --- | --- |\n"
    return head + "\n".join(rows) + "\n"


def _row(one: Noticed) -> str:
    told = "yes" if one.told else "no"
    return f"| {one.case} | {one.by} | {_seconds(one.noticed_s)} | {_seconds(one.served_again_s)} | {told} |"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} s"


if __name__ == "__main__":
    raise SystemExit(main())
