"""A fault meets a call: whether it is hit, and with which error.

For: both doors of the control plane, and launches by Auto Scaling. Guarantees: each hit is counted and told as an
event. Does not: delay or hang up; the door does.
"""

from __future__ import annotations

from lab.aws.core.cloud import Cloud
from lab.aws.faults.codes import Refusal, words
from lab.aws.faults.faults import ApiCall, Fault, Faults


def strike(cloud: Cloud, call: ApiCall) -> Fault | None:
    """The fault that hits this call, counted and told as an event, or None."""
    fault = Faults.of(cloud).take(call)
    if fault is not None:
        who = f" from {call.caller}" if call.caller else ""
        cloud.event("fault", f"{call.service}:{call.action}", f"{fault.outcome}{who}")
    return fault


def refusal(fault: Fault, call: ApiCall) -> Refusal | None:
    """The error answer that a fault gives, or None when it gives none."""
    if fault.kind:
        return words(fault.kind, call.service, call.action, call.caller)
    return Refusal(fault.code, fault.status, fault.message) if fault.code else None
