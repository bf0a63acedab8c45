"""What DescribeInstanceStatus and DescribeInstances show: status checks, and instances that have no interface any more.

For: groups look at `impaired_since`, people and tests at the API. Guarantees: a machine that is off unasked is impaired
after `impaired_after_s`, one that is on and answers nothing after `hung_after_s`; its instance stays `running`, and one
that answers again is ok. Does not: tell system from instance failures.
Sources: EC2 user guide "Status checks for your instances" (they run every minute), "Types of status checks" (an ARP
request to the interface: what a hung service or agent does not touch passes); EC2 API reference InstanceStatusDetails
(impairedSince).
"""

from datetime import UTC, datetime
from typing import Any

from lab.aws.core.cloud import Cloud, current
from lab.aws.core.patches import PROPERTY, original, replaces
from lab.aws.ec2.state import Ec2, Life

_INSTANCE = "moto.ec2.models.instances:Instance"


_SAID = {
    "off": "its machine is off without anybody having asked",
    "silent": "its machine is on and does not answer the network",
}
_BOOT_S = 300.0  # until a machine that has never answered counts as hung; no published number


def watch_status(cloud: Cloud) -> bool:
    """The status checks of running instances. True when one of them has changed."""
    lives = [one for one in Ec2.of(cloud).lives.values() if one.running_since is not None and not one.asked_off]
    return any([_check(cloud, life) for life in lives])


def _check(cloud: Cloud, life: Life) -> bool:
    symptom = _symptom(life, cloud.now())
    if symptom != life.symptom and not (life.impaired_since is not None and symptom):
        life.symptom, life.impaired_due_at = symptom, None
        if not symptom and life.impaired_since is not None:
            life.impaired_since = None
            cloud.event("instance", life.instance_id, "status check: ok again")
            return True
        if symptom:
            delay_s = cloud.delay("impaired_after_s" if symptom == "off" else "hung_after_s")
            life.impaired_due_at = cloud.now() + delay_s
            cloud.look_again_in(delay_s)
            cloud.event("instance", life.instance_id, _SAID[symptom])
    if life.impaired_since is None and life.impaired_due_at is not None and cloud.now() >= life.impaired_due_at:
        life.impaired_since = cloud.now()
        cloud.event("instance", life.instance_id, "status check: impaired (instance unreachable)")
        return True
    return False


def _symptom(life: Life, now: float) -> str:
    if not life.ever_on:
        return ""
    if not life.seen_on:
        return "off"
    is_booting = not life.has_answered and life.running_since is not None and now < life.running_since + _BOOT_S
    return "" if life.answers or is_booting else "silent"


def status_check(cloud: Cloud, instance: Any) -> str:
    """not-applicable, initializing, ok or impaired."""
    life = Ec2.of(cloud).lives.get(instance.id)
    if life is None or life.running_since is None or instance.state != "running":
        return "not-applicable"
    if life.impaired_since is not None:
        return "impaired"
    return "ok" if cloud.now() >= life.running_since + cloud.timing.status_initializing_s else "initializing"


def _status_document(instance: Any) -> dict[str, Any]:
    status = status_check(current(), instance)
    if status == "not-applicable":
        return {"Status": status}
    detail = {"ok": "passed", "impaired": "failed"}.get(status, status)
    details: dict[str, Any] = {"Name": "reachability", "Status": detail}
    life = Ec2.of(current()).lives[instance.id]
    if life.impaired_since is not None:
        details["ImpairedSince"] = datetime.fromtimestamp(life.impaired_since, UTC)
    return {"Details": [details], "Status": status}


replaces(f"{_INSTANCE}.instance_status", expects=PROPERTY, reason="moto's checks always pass")(
    property(_status_document)
)


# -------------------------------------------------------------------- instances without interfaces
_TERMINATED = "DescribeInstances of a terminated instance must not fail for want of an interface"


def _of_first_nic(attribute: str) -> property:
    return property(lambda instance: getattr(instance.nics.get(0), attribute, None))


def _dns_name(instance: Any) -> str:
    if 0 not in instance.nics:
        return ""
    name: str = original(f"{_INSTANCE}.private_dns_name").fget(instance)
    return name


replaces(f"{_INSTANCE}.private_dns_name", expects=PROPERTY, reason=_TERMINATED)(property(_dns_name))
for _name, _attribute in {
    "private_ip": "private_ip_address",
    "private_ip_address": "private_ip_address",
    "public_ip": "public_ip",
    "public_ip_address": "public_ip",
}.items():
    replaces(f"{_INSTANCE}.{_name}", expects=PROPERTY, reason=_TERMINATED)(_of_first_nic(_attribute))
