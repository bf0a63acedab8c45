"""Interruptions of Spot Instances: announced to the instance, and carried out two minutes later.

For: `make noticed` and tests; nobody calls it through the API. Guarantees: the instance's metadata service shows the
notice until the instance ends; EC2 ends it at the time that the notice says, unless somebody has done so before.
Does not: ask whether the instance was launched as a Spot Instance, stop or hibernate one, or recommend a rebalance.
Source: EC2 user guide "Spot Instance interruption notices" (two minutes before; spot/instance-action has `action` and
`time`, spot/termination-time the time of a termination).
"""

from lab.aws.core.cloud import Cloud
from lab.aws.ec2.instances import begin_termination
from lab.aws.ec2.state import Ec2

NOTICE_S = 120.0


def interrupt(cloud: Cloud, instance_id: str) -> None:
    """Announce that EC2 takes this running instance back. A second announcement changes nothing."""
    with cloud.call():
        life = Ec2.of(cloud).lives[instance_id]
        if life.interrupted_at is not None:
            return
        life.interrupted_at = cloud.now() + NOTICE_S
        cloud.event("instance", instance_id, f"EC2 announces that it takes it back in {NOTICE_S:.0f} s")
        cloud.later(NOTICE_S, lambda: _end(cloud, instance_id))


def _end(cloud: Cloud, instance_id: str) -> None:
    instance = cloud.backend("ec2").get_instance_by_id(instance_id)
    if instance is not None and instance.state == "running":
        begin_termination(cloud, instance)
