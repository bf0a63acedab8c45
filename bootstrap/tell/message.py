"""The messages to people: what happened, why, what was done, what is left to do, and where to look. Pure.

For: run.telling, which makes them, and the channels, which send them. Guarantees: the subject is a phrase that a person
understands; machines find the same in attributes; every reason of the agent has its remedy in it.
Does not: decide whether it is sent (tell.gate does).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "boot-failed",
    "took-over",
    "degraded",
    "recovered",
    "replaced",
    "lease-lost",
    "stop-unfinished",
    "withheld",
    "watchdog-acted",
    "rolled-back",
    "crash-loop",
]

DONE: dict[Kind, str] = {
    "boot-failed": "The instance gives back what it claimed, and the group launches another one.",
    "took-over": "The address, the name and the data are this instance's.",
    "degraded": "The service goes on; this instance tries again and says when it is over.",
    "recovered": "Nothing had to be done by you.",
    "replaced": "The service here stops and the group launches another instance.",
    "lease-lost": "The service here is stopped, and the group launches another instance.",
    "stop-unfinished": "What could be released is released.",
    "withheld": "They are in the log of the instance.",
    "watchdog-acted": "The group ends this instance and launches another one. Its console is in the watchdog's log.",
    "rolled-back": "The group launches the version before. The console of the failed boot is in the watchdog's log.",
    "crash-loop": "The group goes on launching it. The console of the failed boot is in the watchdog's log.",
}
LEFT: dict[Kind, str] = {
    "boot-failed": "If no message follows that an instance serves, look at the console of this one.",
    "took-over": "Nothing.",
    "degraded": "See the remedy above.",
    "recovered": "Nothing.",
    "replaced": "If no message follows that an instance serves, look at the group's activities.",
    "lease-lost": "If no message follows that an instance serves, look at the group's activities.",
    "stop-unfinished": "Something may still be mounted or attached; the next instance waits for it or takes it.",
    "withheld": "Read the log: so many messages are a fault of their own.",
    "watchdog-acted": "If no message follows that an instance serves, look at the group's activities.",
    "rolled-back": "Find out why the image does not boot; then soloist clear, and promote one that does.",
    "crash-loop": "Promote a version that boots, or mend what every version needs; then soloist clear.",
}


@dataclass(frozen=True, kw_only=True)
class Message:
    """`what` is a phrase for the subject, `why` the agent's sentence. `reason` is the stable word, "" where there is
    none; `at` is wall time, for people."""

    kind: Kind
    service: str
    instance_id: str
    zone: str
    generation: int = 0
    reason: str = ""
    what: str
    why: str
    at: str

    @property
    def subject(self) -> str:
        return f"soloist {self.service}: {self.what}"

    @property
    def text(self) -> str:
        held = f", generation {self.generation}" if self.generation else ""
        reason = f", reason {self.reason}" if self.reason else ""
        return "\n".join(
            [
                f"{self.service} on {self.instance_id} in {self.zone}{held}: {self.why}",
                "",
                f"What happened: {self.what}, {self.at}",
                f"What was done: {DONE[self.kind]}",
                f"What is left to do: {LEFT[self.kind]}",
                f"Where to look: soloist status {self.service}; journalctl -u soloist-agent on {self.instance_id}; "
                f"docs/runbook.md{reason}",
            ]
        )

    @property
    def attributes(self) -> dict[str, str]:
        """For filters and programs; none is empty, as SNS wants it (API reference, MessageAttributeValue)."""
        named = {
            "kind": self.kind,
            "service": self.service,
            "instance": self.instance_id,
            "zone": self.zone,
            "generation": str(self.generation),
            "reason": self.reason,
        }
        return {name: value for name, value in named.items() if value}
