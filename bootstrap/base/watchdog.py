"""What is watched from outside the instance, and how patiently: the settings of the service file.

For: services.watchdog, the stacks, and the watchdog function. Guarantees: pure. The instance itself is told only how
often to send a sign of life (`heartbeat_s`).
Does not: watch anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from bootstrap.base.values import Limits

BEATS_IN_SILENCE = 3  # two beats may be lost before anybody speaks of silence
UNWATCHED_HEARTBEAT_S = 60.0  # for alarms and people only

Enabled = Annotated[
    bool,
    Limits(says="A function outside the instance has it replaced when it is silent and a second sign agrees"),
]
SilenceSeconds = Annotated[
    float,
    Limits(says="How long nothing is heard of the instance before it is looked at", example=30, least=30, most=600),
]
BootSilenceSeconds = Annotated[
    float,
    Limits(says="How long a new instance may take until something is heard of it", example=240, least=60, most=3600),
]
WindowSeconds = Annotated[
    float,
    Limits(says="One instance at most is ended by the watchdog in this time", example=1800, least=600, most=86_400),
]
FailedBoots = Annotated[
    int,
    Limits(
        says="After so many failed boots of one image in a row the group goes back to the last that was ready",
        example=2,
        least=2,
        most=10,
    ),
]
SettleSeconds = Annotated[
    float,
    Limits(says="How long an instance must stay in service until its image is good", example=300, least=60, most=3600),
]
HeartbeatSeconds = Annotated[float, Limits(says="Seconds between two signs of life", example=10, least=10, most=200)]


@dataclass(frozen=True, kw_only=True)
class WatchdogSettings:
    """When the instance is silent, and when its image is given up."""

    enabled: Enabled = True
    silence_s: SilenceSeconds = 30.0
    boot_silence_s: BootSilenceSeconds = 240.0
    window_s: WindowSeconds = 1800.0
    failed_boots: FailedBoots = 2
    settle_s: SettleSeconds = 300.0

    @property
    def heartbeat_s(self) -> float:
        """How often the instance sends a sign of life."""
        return self.silence_s / BEATS_IN_SILENCE if self.enabled else UNWATCHED_HEARTBEAT_S
