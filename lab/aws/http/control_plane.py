"""The lab's AWS over HTTP: one object to start, ask and stop.

For: `lab.play`, the metadata service, the DNS server, tests. Guarantees: `stop` leaves moto as it was, whatever
happened; only one control plane runs in a process. Does not: run machines; `Machines` does.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

from moto.core.base_backend import BackendDict

from lab.aws.account.queries import CloudQueries
from lab.aws.account.rules import in_force
from lab.aws.cloudformation.state import CloudFormation
from lab.aws.core.clockwork import ManualClock, SteadyClock, Ticker, advance
from lab.aws.core.cloud import Cloud
from lab.aws.core.timing import FAST, Timing
from lab.aws.ec2.machines import Machines
from lab.aws.ec2.state import Ec2
from lab.aws.http.server import Application, HttpServer
from lab.aws.lambdas.functions import Lambdas

REGION = "us-east-1"


class ControlPlane(CloudQueries):
    """EC2, Auto Scaling, Route 53, EFS, SSM, SNS, IAM and CloudFormation over HTTP at `endpoint_url`.

    With a `ManualClock` nothing happens by itself: call `advance`. `seed` fixes the delays that are drawn.
    Raises OSError when the address or port is not free, RulesDoNotFit when another moto is installed, RuntimeError when
    another control plane runs in this process.
    """

    def __init__(
        self,
        machines: Machines,
        timing: Timing = FAST,
        *,
        address: str = "169.254.169.252",
        port: int = 4566,
        clock: Callable[[], float] | None = None,
        seed: int = 1,
    ) -> None:
        self._address, self._wanted_port = address, port
        self._clock = clock or SteadyClock()
        super().__init__(Cloud(timing=timing, now=self._clock, region=REGION, seed=seed))
        Ec2.of(self.cloud).machines = machines
        self._application = Application(self.cloud)
        self._running = ExitStack()

    @property
    def endpoint_url(self) -> str:
        """Where boto3 finds this AWS, e.g. http://169.254.169.252:4566."""
        return self.cloud.endpoint_url

    def start(self) -> None:
        """Begin to answer, on an empty account."""
        with ExitStack() as starting:
            server = HttpServer(self._application, self._address, self._wanted_port)
            self.cloud.endpoint_url = f"http://{self._address}:{server.port}"
            starting.enter_context(in_force(self.cloud))
            _empty_account()
            starting.callback(_empty_account)
            starting.callback(Lambdas.of(self.cloud).stop)
            starting.callback(CloudFormation.of(self.cloud).finish)
            server.start()
            starting.callback(server.stop)
            if not isinstance(self._clock, ManualClock):
                ticker = Ticker(self.cloud)
                ticker.start()
                starting.callback(ticker.stop)
            self._running = starting.pop_all()

    def stop(self) -> None:
        """Stop answering and forget everything. Machines are left to their owner. No-op when stopped."""
        self.cloud.stopping.set()
        self.faults.clear()  # a call that one is holding back must not outlive us
        self._running.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def advance(self, seconds: float) -> None:
        """Let time pass. Raises TypeError unless the control plane was given a ManualClock."""
        if not isinstance(self._clock, ManualClock):
            raise TypeError("only a control plane with a ManualClock can be advanced: pass clock=ManualClock()")
        advance(self.cloud, self._clock, seconds)

    def template_sha256(self, stack_name: str) -> str | None:
        """SHA-256 of the template last received for this stack by CreateStack or UpdateStack, or None."""
        return CloudFormation.of(self.cloud).template_hashes.get(stack_name)


def _empty_account() -> None:
    for backends in list(BackendDict._instances):
        backends.reset()
