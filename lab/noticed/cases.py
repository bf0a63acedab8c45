"""What goes wrong: each case with who should notice it, what people should be told, and how it ends.

For: `lab.noticed.play`. Guarantees: a case begins with a healthy service; its `undo` may be called again.
Does not: wait for anybody to notice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bootstrap.base.names import stack_name
from lab.base.errors import LabError
from lab.base.waiting import wait_for
from lab.hardware.uml import UmlMachine
from lab.image.images import IMAGE_IDS, SERVICE
from lab.noticed.signs import Since, noticed_by, watchdog_of_a_successor
from lab.noticed.signs import new_agent as noticed_by_systemd
from lab.noticed.signs import told as told_since
from lab.play.stage import Stage
from lab.play.standing import Standing

BAD_IMAGE = "ami-0badbadbadbadbad0"  # registered, and no disk is there: its machines never start
START_LIMIT_S = 120.0

Act = Callable[[Stage, Standing, UmlMachine], None]
Undo = Callable[[Stage, Standing], None]


@dataclass(frozen=True, kw_only=True)
class Case:
    """`act` makes it happen to the machine that serves. `undo` ends what is still wrong: `lasts_s` after that, or once
    it was noticed (`is_undone_when_noticed`), or at the end of the case.
    `by`: who should notice; nobody where it is ridden out. `message`: the kind of one that people should get; "" for
    none at all."""

    name: str
    act: Act
    by: tuple[str, ...]
    message: str = ""
    seen: Callable[[Stage, Since], str] = noticed_by
    undo: Undo = lambda _stage, _before: None
    lasts_s: float | None = None
    is_undone_when_noticed: bool = False
    has_other_instance: bool = True  # afterwards
    needs_good_version: bool = False  # the breaker knows a version to go back to
    notice_limit_s: float = 180.0
    serve_limit_s: float = 240.0


# ------------------------------------------------------------------ the service
def kill_service(_stage: Stage, _before: Standing, machine: UmlMachine) -> None:
    machine.exec("systemctl kill --signal=KILL influxdb", 20.0)


def stop_answers(_stage: Stage, _before: Standing, machine: UmlMachine) -> None:
    """Its socket goes on accepting, by the kernel; nothing is ever answered."""
    machine.exec("systemctl kill --signal=STOP influxdb", 20.0)


# ------------------------------------------------------------------ the machine
def freeze_agent(_stage: Stage, _before: Standing, machine: UmlMachine) -> None:
    machine.exec("systemctl kill --kill-whom=main --signal=STOP soloist-agent", 20.0)


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


def stop_everything(_stage: Stage, _before: Standing, machine: UmlMachine) -> None:
    """All processes but systemd and the shell that says so."""
    machine.exec("kill -STOP -1", 20.0)


def freeze(_stage: Stage, _before: Standing, machine: UmlMachine) -> None:
    machine.freeze()


def freeze_the_successor(stage: Stage, before: Standing, _machine: UmlMachine) -> None:
    """The serving instance is ended, and the machine that boots in its place stands still before its agent is there."""
    group: Any = stage.lab.boto3_client("autoscaling")
    group.terminate_instance_in_auto_scaling_group(InstanceId=before.instance_id, ShouldDecrementDesiredCapacity=False)
    wait_for(lambda: _successor(stage, before), "the machine of a successor", deadline_s=START_LIMIT_S).freeze()


def _successor(stage: Stage, before: Standing) -> UmlMachine | None:
    found = stage.lab.control_plane.group(stack_name(SERVICE))
    others = [one.instance_id for one in found.members if one.instance_id != before.instance_id] if found else []
    return next((machine for one in others if (machine := stage.lab.hypervisor.machine(one)) is not None), None)


# ------------------------------------------------------------------ AWS
def isolate(stage: Stage, before: Standing, _machine: UmlMachine) -> None:
    group = stage.lab.control_plane.group(stack_name(SERVICE))
    stage.lab.control_plane.prefer_zones([zone for zone in group.zones if zone != before.zone] if group else [])
    stage.lab.network.cut_zone(before.zone)


def join(stage: Stage, before: Standing) -> None:
    stage.lab.network.heal_zone(before.zone)
    stage.lab.control_plane.prefer_zones([])


def stall_files(stage: Stage, _before: Standing, _machine: UmlMachine) -> None:
    stage.lab.file_server.machine.freeze()


def go_on(stage: Stage, _before: Standing) -> None:
    stage.lab.file_server.machine.thaw()


def announce_interruption(stage: Stage, before: Standing, _machine: UmlMachine) -> None:
    stage.lab.control_plane.interrupt(before.instance_id)


# ------------------------------------------------------------------ images
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


def launch_from_two_bad_images(stage: Stage, before: Standing, machine: UmlMachine) -> None:
    """The image before it does not start any more either."""
    stage.lab.hypervisor.lost_disks.add(IMAGE_IDS["1"])
    launch_from_a_bad_image(stage, before, machine)


def find_the_disk(stage: Stage, _before: Standing) -> None:
    stage.lab.hypervisor.lost_disks.discard(IMAGE_IDS["1"])


def told_of(kind: str) -> Callable[[Stage, Since], str]:
    """Only the message counts: instances end as a part of the case."""
    return lambda stage, since: "watchdog" if kind in told_since(stage, since) else ""


CASES = (
    Case(name="the service is killed", act=kill_service, by=("agent",), has_other_instance=False),
    Case(name="the service accepts and never answers", act=stop_answers, by=("agent",), has_other_instance=False),
    Case(name="the agent hangs", act=freeze_agent, by=("systemd",), seen=noticed_by_systemd, has_other_instance=False),
    Case(name="EFS stands still for 20 s", act=stall_files, by=(), undo=go_on, lasts_s=20.0, has_other_instance=False),
    Case(
        name="EFS stands still for 5 min",
        act=stall_files,
        by=("agent", "fence"),
        message="took-over",
        undo=go_on,
        lasts_s=300.0,
        serve_limit_s=600.0,
    ),
    Case(
        name="every process hangs",
        act=stop_everything,
        by=("watchdog device",),
        message="took-over",
        has_other_instance=False,
    ),
    Case(name="the machine stands still", act=freeze, by=("watchdog",), message="watchdog-acted"),
    Case(name="agent and fence are killed for good", act=disable_agent, by=("watchdog",), message="watchdog-acted"),
    Case(name="the zone is cut off", act=isolate, by=("watchdog", "EC2"), message="took-over", undo=join),
    Case(name="EC2 takes a Spot Instance back", act=announce_interruption, by=("agent",), message="replaced"),
    Case(
        name="a boot hangs",
        act=freeze_the_successor,
        by=("watchdog",),
        seen=watchdog_of_a_successor,
        message="watchdog-acted",
    ),
    Case(
        name="an image does not boot, twice",
        act=launch_from_a_bad_image,
        by=("watchdog",),
        seen=told_of("rolled-back"),
        message="rolled-back",
        needs_good_version=True,
        notice_limit_s=300.0,
    ),
    Case(
        name="neither that image nor the one before boots",
        act=launch_from_two_bad_images,
        by=("watchdog",),
        seen=told_of("crash-loop"),
        message="crash-loop",
        undo=find_the_disk,
        is_undone_when_noticed=True,
        needs_good_version=True,
        notice_limit_s=600.0,
    ),
)
