"""Callers that attach network interfaces at the same moment, in threads or in processes of their own.

For: tests/contract/http/test_time_and_races.py. Guarantees: imports no more than boto3, because each process imports it
anew. Does not: judge who won.
"""

from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "us-east-1"


def client(endpoint_url: str, service: str = "ec2") -> Any:
    """A client that does not retry: every caller counts once."""
    config = Config(retries={"total_max_attempts": 1})
    made: Any = boto3.session.Session("AKIAOPERATOR", "secret", region_name=REGION)
    return made.client(service, endpoint_url=endpoint_url, config=config)


def attach_all(endpoint_url: str, instance: str, interfaces: list[str], together: Callable[[], object]) -> list[str]:
    """One caller: tries to get every interface, at the same moment as the others. "won" or the error code, each."""
    ec2 = client(endpoint_url)
    outcomes = []
    for number, interface in enumerate(interfaces):
        together()
        try:
            ec2.attach_network_interface(NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=number + 1)
            outcomes.append("won")
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])
    return outcomes


def in_process(
    endpoint_url: str, instance: str, interfaces: list[str], barrier: Barrier, results: Any
) -> None:  # pragma: no cover - runs in a child
    """`attach_all` in a process of its own; `results` gets the instance and the outcomes."""
    results.put((instance, attach_all(endpoint_url, instance, interfaces, lambda: barrier.wait(30))))
