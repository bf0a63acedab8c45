"""Everything that can be asked of the cloud in process: the queries of each service, faults, events, calls.

For: `ControlPlane` and `strict_mock_aws`, which both are a `CloudQueries`. Guarantees: each call takes the lock, so its
answer is of one moment. Does not: serve the AWS API.
"""

from collections.abc import Callable
from typing import Any

from lab.aws.autoscaling.views import AutoScalingQueries
from lab.aws.core.call_log import CallLog
from lab.aws.core.cloud import Cloud, Event
from lab.aws.ec2.views import Ec2Queries
from lab.aws.efs.views import EfsQueries
from lab.aws.faults.faults import Fault, Faults
from lab.aws.faults.presets import preset
from lab.aws.route53.views import Route53Queries


class CloudQueries(Ec2Queries, EfsQueries, Route53Queries, AutoScalingQueries):
    """The query API of the in-process lab. Thread-safe."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    @property
    def calls(self) -> CallLog:
        return self.cloud.calls

    @property
    def faults(self) -> Faults:
        return Faults.of(self.cloud)

    def inject(self, name: str, **overrides: Any) -> Fault:
        """Put a preset fault in force (`lab.aws.faults.presets.PRESETS`). Raises ValueError for one that is not."""
        return self.faults.add(preset(name, **overrides))

    def subscribe(self, callback: Callable[[Event], None]) -> None:
        """Call `callback` with every event from now on; it may ask anything here, but must be quick."""
        self.cloud.subscribe(callback)

    def messages(self, topic_name: str) -> list[dict[str, Any]]:
        """What was published to a topic, in order: `subject`, `text` and `attributes`."""
        with self.cloud.lock:
            topics = self.cloud.backend("sns").topics.values()
            sent = [one for topic in topics if topic.name == topic_name for one in topic.sent_notifications]
        return [
            {
                "subject": subject,
                "text": text,
                "attributes": {key: each["Value"] for key, each in (given or {}).items()},
            }
            for _, text, subject, given, *_ in sent
        ]

    @property
    def errors(self) -> list[str]:
        """Errors of the lab or of moto, with traceback; empty when all is well."""
        with self.cloud.lock:
            return list(self.cloud.errors)
