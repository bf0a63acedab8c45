"""Instances: from RunInstances to terminated, with the time that takes and the machine behind the record.

For: launches and terminations by the API and by groups. Guarantees: an instance is `pending` before it is `running`,
and `shutting-down` while its machine is still on; its interfaces are free only when its machine is off; a machine that
goes off unasked makes the status check fail and changes nothing else.
Does not: reboot machines, model Spot, hibernation or dedicated hosts.
Sources: EC2 user guide "Instance lifecycle", "Status checks for your instances", "Terminate your instance" (shutdown
scripts may be cut off); API reference TerminateInstances (SkipOsShutdown, Force).
"""

import copy
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult

from lab.aws.core.cloud import Cloud, current, under_lock
from lab.aws.core.errors import bad_token, refused
from lab.aws.core.paging import refuses_bad_tokens
from lab.aws.core.patches import original, replaces
from lab.aws.ec2.launch_rules import apply_launch_template, default_subnet, issue, refuse_image, refuse_profile
from lab.aws.ec2.machines import MachineOrder
from lab.aws.ec2.network_interfaces import nic_of, release_all
from lab.aws.ec2.state import Ec2, Life

_INSTANCE = "moto.ec2.models.instances:Instance"
_BACKEND = "moto.ec2.models.instances:InstanceBackend"
_RESPONSE = "moto.ec2.responses.instances:InstanceResponse"
_BY_USER = "Client.UserInitiatedShutdown: User initiated shutdown"
_CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}


def set_state(cloud: Cloud, instance: Any, name: str, text: str) -> None:
    """Write the state into moto's record and tell the subscribers."""
    instance._state.name, instance._state.code = name, _CODES[name]
    cloud.event("instance", instance.id, f"{name}: {text}" if text else name)


# -------------------------------------------------------------------- launch
@replaces(f"{_RESPONSE}.run_instances", reason="moto launches the minimum")
def run_as_many_as_asked_for(self: Any) -> Any:
    """RunInstances: MaxCount instances, because the lab always has room for them."""
    least, most = self._get_int_param("MinCount"), self._get_int_param("MaxCount")
    if not 1 <= least <= most:
        raise refused("InvalidParameterValue", f"minCount {least} must be at least 1, and at most maxCount {most}")
    self.params["MinCount"] = most
    return original(f"{_RESPONSE}.run_instances")(self)


@replaces(
    f"{_BACKEND}.run_instances",
    expects="self, image_id, count, user_data, security_group_names, kwargs",
    reason="moto's instances run at once, from any image, without profile and metadata options of the launch template",
)
@under_lock
def run_instances(
    self: Any, cloud: Cloud, image_id: str, count: int, user_data: Any, security_group_names: list[str], **kwargs: Any
) -> Any:
    """RunInstances: the image must exist; the launch template's profile and metadata options apply."""
    chosen = apply_launch_template(self, kwargs)
    image_id = image_id or chosen.get("ImageId", "")
    refuse_image(self, image_id)
    refuse_profile(self, chosen.get("IamInstanceProfile") or {})
    if not kwargs.get("subnet_id") and not any("SubnetId" in nic for nic in kwargs.get("nics") or []):
        kwargs["subnet_id"] = default_subnet(self, kwargs.get("placement"))
    before = dict(self.reservations)
    try:
        reservation = original(f"{_BACKEND}.run_instances")(
            self, image_id, count, user_data, security_group_names, **kwargs
        )
    except Exception:
        self.reservations = before
        raise
    profile = chosen.get("IamInstanceProfile") or {}
    for instance in reservation.instances:
        if profile:
            self.associate_iam_instance_profile(
                instance_id=instance.id,
                iam_instance_profile_name=profile.get("Name"),
                iam_instance_profile_arn=profile.get("Arn"),
            )
        begin_launch(cloud, instance)
    return reservation


def begin_launch(cloud: Cloud, instance: Any) -> None:
    """Set the record to pending, power the machine on, and set it to running after `pending_s`."""
    life = Life(instance_id=instance.id)
    instance.launch_time = datetime.fromtimestamp(cloud.now(), UTC)
    Ec2.of(cloud).lives[instance.id] = life
    issue(cloud, instance, life)
    _switch_on(cloud, instance, life, f"{instance.image_id} in {instance.placement.zone}")


def _switch_on(cloud: Cloud, instance: Any, life: Life, text: str) -> None:
    set_state(cloud, instance, "pending", text)
    order = MachineOrder(
        instance_id=instance.id,
        image_id=instance.image_id,
        instance_type=instance.instance_type,
        zone=instance.placement.zone,
        hostname=instance.private_dns_name.split(".")[0],
        primary=nic_of(instance.nics[0], 0),
    )

    def power_on() -> None:
        life.seen_on, life.answers, life.has_answered = True, True, False
        try:
            Ec2.of(cloud).machines.power_on(order)
        finally:
            life.ever_on = True  # also when it failed: then the machine is off, and the status check will say so

    def running() -> None:
        if instance.state == "pending":
            life.running_since = cloud.now()
            life.console_due_at = cloud.now() + cloud.timing.console_post_s
            cloud.look_again_in(cloud.timing.console_post_s)
            set_state(cloud, instance, "running", "")

    cloud.effect(power_on)
    cloud.later(cloud.delay("pending_s"), running)


# -------------------------------------------------------------------- termination
@replaces(f"{_INSTANCE}.terminate", reason="moto terminates at once and keeps secondary interfaces")
def terminate(self: Any) -> Any:
    """Terminate as TerminateInstances does; returns the previous state."""
    return begin_termination(current(), self)


def begin_termination(cloud: Cloud, instance: Any, *, cut_power: bool = False) -> Any:
    """Begin shutting down: press the power button, or cut the power. No-op for a terminated instance."""
    with cloud.call():
        previous = copy.copy(instance._state)
        if instance.state == "terminated":
            return previous
        if instance.state != "shutting-down":
            instance.state_reason.message, instance.state_reason.code = _BY_USER, _BY_USER.partition(":")[0]
            _press_power_button(cloud, instance, "shutting-down", becomes="terminated")
        if cut_power:
            Ec2.of(cloud).lives[instance.id].power_cut_at = cloud.now()
            cloud.effect(lambda: Ec2.of(cloud).machines.power_off(instance.id))
        cloud.later(0.0, lambda: _watch_power(cloud, instance))
        return previous


def _press_power_button(cloud: Cloud, instance: Any, state: str, *, becomes: str) -> None:
    life = Ec2.of(cloud).lives[instance.id]
    life.asked_off, life.becomes = True, becomes
    life.power_cut_at = cloud.now() + cloud.timing.shutdown_deadline_s
    set_state(cloud, instance, state, _BY_USER)
    cloud.effect(lambda: Ec2.of(cloud).machines.press_power_button(instance.id))


def _watch_power(cloud: Cloud, instance: Any) -> None:
    """Look at a machine until it is off, then release what it holds."""
    life = Ec2.of(cloud).lives[instance.id]
    if not life.asked_off or life.off_seen_at is not None:
        return
    overdue = life.power_cut_at is not None and cloud.now() >= life.power_cut_at
    if overdue:
        cloud.effect(lambda: Ec2.of(cloud).machines.power_off(instance.id))
    if life.ever_on and life.seen_on and not overdue:
        cloud.later(max(cloud.timing.stopping_poll_s, 0.01), lambda: _watch_power(cloud, instance))
        return
    life.off_seen_at = life.console_due_at = cloud.now()
    cloud.later(cloud.delay("release_s"), lambda: _finish_power_off(cloud, instance))


def _finish_power_off(cloud: Cloud, instance: Any) -> None:
    life = Ec2.of(cloud).lives[instance.id]
    life.ever_on, life.running_since, life.impaired_since, life.symptom = False, None, None, ""
    if life.becomes == "stopped":
        set_state(cloud, instance, "stopped", "")
        return
    release_all(cloud, instance)
    instance.teardown_defaults()
    if cloud.backend("ec2").iam_instance_profile_associations.get(instance.id):
        association = cloud.backend("ec2").iam_instance_profile_associations[instance.id]
        cloud.backend("ec2").disassociate_iam_instance_profile(association_id=association.association_id)
    life.terminated_at = cloud.now()
    set_state(cloud, instance, "terminated", "")
    cloud.later(cloud.timing.terminated_visible_s, lambda: _forget(cloud, instance))


def _forget(cloud: Cloud, instance: Any) -> None:
    for key, reservation in list(cloud.backend("ec2").reservations.items()):
        if instance in reservation.instances:
            reservation.instances.remove(instance)
            if not reservation.instances:
                del cloud.backend("ec2").reservations[key]
    Ec2.of(cloud).lives.pop(instance.id, None)


@replaces(
    f"{_RESPONSE}.terminate_instances", reason="moto tells the group at once and ignores SkipOsShutdown and Force"
)
@under_lock
def terminate_instances(self: Any, cloud: Cloud) -> Any:
    """TerminateInstances: repeatable; SkipOsShutdown and Force cut the power of instances shutting down."""
    self.error_on_dryrun()
    skip = self._get_bool_param("SkipOsShutdown", False)  # noqa: FBT003
    force = self._get_bool_param("Force", False)  # noqa: FBT003
    instances = self.ec2_backend.get_multi_instances_by_id(self._get_param("InstanceIds", []))
    for instance in instances:
        if str(instance.disable_api_termination).lower() == "true":
            raise refused(
                "OperationNotPermitted",
                f"The instance '{instance.id}' may not be terminated. "
                "Modify its 'disableApiTermination' instance attribute and try again.",
            )
    changes = []
    for instance in instances:
        previous = begin_termination(cloud, instance, cut_power=bool(skip or force))
        changes.append(
            {
                "InstanceId": instance.id,
                "CurrentState": {"Code": instance.state_code, "Name": instance.state},
                "PreviousState": {"Code": previous.code, "Name": previous.name},
            }
        )
    return ActionResult({"TerminatingInstances": changes})


refuses_bad_tokens(f"{_RESPONSE}.describe_instances", bad_token)


# -------------------------------------------------------------------- stop and start
@replaces(f"{_INSTANCE}.stop", reason="moto stops at once")
@under_lock
def stop(self: Any, cloud: Cloud) -> Any:
    """StopInstances: stopping while the machine shuts down, then stopped."""
    previous = copy.copy(self._state)
    if self.state in ("stopped", "stopping"):
        return previous
    _refuse_unless(self, "running", "stopped")
    _press_power_button(cloud, self, "stopping", becomes="stopped")
    cloud.later(0.0, lambda: _watch_power(cloud, self))
    return previous


@replaces(f"{_INSTANCE}.start", reason="moto starts at once")
@under_lock
def start(self: Any, cloud: Cloud) -> Any:
    """StartInstances: a stopped instance is pending, then running, on the same record."""
    previous = copy.copy(self._state)
    if self.state in ("running", "pending"):
        return previous
    _refuse_unless(self, "stopped", "started")
    life = Ec2.of(cloud).lives[self.id]
    life.asked_off, life.off_seen_at, life.power_cut_at = False, None, None
    _switch_on(cloud, self, life, "started")
    return previous


def _refuse_unless(instance: Any, state: str, done: str) -> None:
    if instance.state != state:
        raise refused(
            "IncorrectInstanceState", f"The instance '{instance.id}' is not in a state from which it can be {done}."
        )
