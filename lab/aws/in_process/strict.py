"""The strict AWS for plain unit tests: moto's `mock_aws` with the lab's rules, in this process, on a clock of your own.

For: one pytest fixture makes any moto-backed test see an AWS that refuses what AWS refuses.
Guarantees: no sockets, no threads, no sleeping; what takes time on AWS happens in `advance`, or at once with
`instant=True`; faults (`inject`) strike here as over HTTP, their delays pass on this clock. Limits per second are off
unless `timing` has them. Does not: deploy templates or run machines (`ControlPlane` does).

    @pytest.fixture
    def aws():
        with strict_mock_aws() as aws:
            yield aws
"""

from collections.abc import Iterator
from contextlib import contextmanager

from moto import mock_aws

from lab.aws.account.queries import CloudQueries
from lab.aws.account.rules import environment, in_force
from lab.aws.core.clockwork import ManualClock, advance, tick
from lab.aws.core.cloud import Cloud
from lab.aws.core.timing import BY_HAND, INSTANT, Timing
from lab.aws.ec2.machines import Machines, NoMachines
from lab.aws.ec2.state import Ec2
from lab.aws.in_process.door import Waits


class StrictAws(CloudQueries):
    """The query API of the lab, plus control of its clock."""

    def __init__(self, cloud: Cloud, clock: ManualClock) -> None:
        super().__init__(cloud)
        self._clock = clock
        Waits.of(cloud).pass_time = self.advance

    def advance(self, seconds: float) -> None:
        advance(self.cloud, self._clock, seconds)

    def settle(self) -> None:
        """Do what is due now, without letting time pass."""
        tick(self.cloud)

    @property
    def machines(self) -> Machines:
        """What runs behind the records; `NoMachines` unless another was given."""
        return Ec2.of(self.cloud).machines


@contextmanager
def strict_mock_aws(
    *,
    region: str = "us-east-1",
    timing: Timing = BY_HAND,
    machines: Machines | None = None,
    instant: bool = False,
) -> Iterator[StrictAws]:
    """`mock_aws` with the strict rules. Raises RulesDoNotFit when another moto is installed.

    Every boto3 client made inside (with any region; state is per region, groups work in `region`) is served in process.
    """
    clock = ManualClock()
    cloud = Cloud(timing=INSTANT if instant else timing, now=clock, region=region, instant=instant)
    Ec2.of(cloud).machines = machines or NoMachines()
    with environment("AWS_DEFAULT_REGION", region), in_force(cloud), mock_aws():
        yield StrictAws(cloud, clock)
