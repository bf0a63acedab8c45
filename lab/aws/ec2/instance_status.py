"""What DescribeInstanceStatus and DescribeInstances show: status checks, and instances that have no interface any more.

For: groups look at `impaired_since`, people and tests at the API. Guarantees: a machine that is off unasked is impaired
after `impaired_after_s` and its instance stays `running`. Does not: tell system from instance failures.
Source: EC2 user guide "Status checks for your instances" (they run every minute).
"""

from typing import Any

from lab.aws.core.cloud import Cloud, current
from lab.aws.core.patches import PROPERTY, original, replaces
from lab.aws.ec2.state import Ec2

_INSTANCE = "moto.ec2.models.instances:Instance"


def watch_status(cloud: Cloud) -> bool:
    """Status checks of running instances: a machine that is off unasked is impaired after `impaired_after_s`."""
    changed = False
    for life in Ec2.of(cloud).lives.values():
        if life.running_since is None or life.asked_off or life.impaired_since is not None:
            continue
        if life.seen_on or not life.ever_on:
            life.off_unasked_at = life.impaired_due_at = None
            continue
        if life.off_unasked_at is None:
            life.off_unasked_at = cloud.now()
            delay_s = cloud.delay("impaired_after_s")
            life.impaired_due_at = cloud.now() + delay_s
            cloud.look_again_in(delay_s)
            cloud.event("instance", life.instance_id, "its machine is off without anybody having asked")
        if life.impaired_due_at is not None and cloud.now() >= life.impaired_due_at:
            life.impaired_since = cloud.now()
            changed = True
            cloud.event("instance", life.instance_id, "status check: impaired (instance unreachable)")
    return changed


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
    return {"Details": [{"Name": "reachability", "Status": detail}], "Status": status}


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
