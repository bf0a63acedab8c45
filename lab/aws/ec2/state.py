"""What the lab keeps of EC2 beyond moto's records: instance lives, attachments, and the machines behind them.

For: the modules of this room, and `autoscaling`, which looks at `lives`. Guarantees: all is read and written under the
cloud's lock, the machines outside of it. Does not: decide anything.
"""

from dataclasses import dataclass, field
from typing import Any

from lab.aws.core.cloud import DEFAULT_ACCOUNT, Cloud, Room
from lab.aws.core.credentials import RoleCredentials
from lab.aws.ec2.machines import Machines, NoMachines


@dataclass
class Life:
    """What the lab knows of an instance beyond moto's record."""

    instance_id: str
    ever_on: bool = False  # power_on has been carried out
    seen_on: bool = True  # what the machine said when it was last looked at
    answers: bool = True  # the same: whether it answers the network
    has_answered: bool = False  # since it was powered on
    asked_off: bool = False  # somebody asked for it: shutting down or stopping
    becomes: str = "terminated"  # what a machine that was asked off ends as
    power_cut_at: float | None = None
    off_seen_at: float | None = None  # asked off, and off it is
    symptom: str = ""  # why its status check is about to fail, or has failed
    impaired_due_at: float | None = None  # when the status check will have noticed
    running_since: float | None = None
    impaired_since: float | None = None
    interrupted_at: float | None = None  # when EC2 takes it back, as announced
    console: bytes = b""  # as it was last posted
    console_at: float | None = None
    console_due_at: float | None = None  # when it is posted next
    terminated_at: float | None = None
    role_name: str = ""
    credentials: RoleCredentials | None = None


@dataclass
class Attachment:
    """An attachment of a network interface; field names are those of AWS's Attachment in snake case."""

    attachment_id: str
    instance_id: str
    device_index: int
    delete_on_termination: bool
    status: str
    attach_time: Any
    instance_owner_id: str = DEFAULT_ACCOUNT
    network_card_index: int = 0
    metadata_lag_s: float = 0.0  # from attached until its instance's metadata service shows it in full


@dataclass
class Ec2(Room):
    machines: Machines = field(default_factory=NoMachines)
    lives: dict[str, Life] = field(default_factory=dict)  # by instance id
    attachments: dict[str, Attachment] = field(default_factory=dict)  # by network interface id


def observe_machines(cloud: Cloud) -> None:
    """Ask every machine whether it is on. Not under the lock, because a machine may be asking us something."""
    ec2 = Ec2.of(cloud)
    with cloud.lock:
        ids = [life.instance_id for life in ec2.lives.values() if life.ever_on and life.terminated_at is None]
    seen = {instance_id: ec2.machines.is_on(instance_id) for instance_id in ids}
    answering = {instance_id for instance_id, is_on in seen.items() if is_on and ec2.machines.answers(instance_id)}
    with cloud.lock:
        for instance_id, is_on in seen.items():
            life = ec2.lives[instance_id]
            life.seen_on, life.answers = is_on, instance_id in answering
            life.has_answered |= life.answers
