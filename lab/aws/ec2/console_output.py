"""GetConsoleOutput: what an instance's machine has written to its console.

For: people and whoever keeps evidence of a failed boot. Guarantees: with Latest the text of now; without it what was
posted a while after the instance last started, or when it was found off; in both cases at most the last 64 KiB,
and none before there is any. Does not: hold the cloud's lock while a machine is asked.
Source: EC2 API reference GetConsoleOutput (posted shortly after a transition; the most recent 64 KB; Latest only with
the Nitro hypervisor; the output is base64-encoded); EC2 user guide "Instances built on the AWS Nitro System".
"""

import base64
import re
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult

from lab.aws.core.cloud import Cloud, current
from lab.aws.core.errors import refused
from lab.aws.core.patches import replaces
from lab.aws.ec2.state import Ec2

MAXIMUM_BYTES = 64 * 1024
_XEN = re.compile(r"(c[134]|d2|f1|g[23]|h1|i[23]|m[1-4]|p[23]|r[34]|t[12]|x1e?)\..*")  # families without Nitro


def post_console(cloud: Cloud) -> None:
    """Post what is due. Not under the lock, because a machine is asked."""
    ec2 = Ec2.of(cloud)
    with cloud.lock:
        lives = [
            one for one in ec2.lives.values() if one.console_due_at is not None and cloud.now() >= one.console_due_at
        ]
    for life in lives:
        text = ec2.machines.console(life.instance_id)[-MAXIMUM_BYTES:]
        with cloud.lock:
            life.console, life.console_at, life.console_due_at = text, cloud.now(), None


@replaces(
    "moto.ec2.responses.general:General.get_console_output", reason="moto shows the same sample for every instance"
)
def get_console_output(self: Any) -> ActionResult:
    """GetConsoleOutput. An instance that has written nothing yet has no Output."""
    cloud, instance_id = current(), self._get_param("InstanceId")
    with cloud.lock:
        instance = self.ec2_backend.get_instance(instance_id)
        ec2, life = Ec2.of(cloud), Ec2.of(cloud).lives.get(instance_id)
        self.error_on_dryrun()
        text, at_s = (life.console, life.console_at) if life is not None else (b"", None)
    if self._get_bool_param("Latest"):
        if _XEN.fullmatch(instance.instance_type):
            why = "This instance type does not support retrieving the latest console logs"
            raise refused("UnsupportedOperation", f"{why}: {instance.instance_type}")
        if life is not None and life.running_since is not None:
            text, at_s = ec2.machines.console(instance_id)[-MAXIMUM_BYTES:], cloud.now()
    answer: dict[str, Any] = {"InstanceId": instance_id}
    if at_s is not None:
        answer["Timestamp"] = datetime.fromtimestamp(at_s, UTC)
    if text:
        answer["Output"] = base64.b64encode(text).decode()
    return ActionResult(answer)
