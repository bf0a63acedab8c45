"""AWS as a rollout uses it: its clients, and one sentence for whatever botocore raises.

For: observe, stack, history and promote. Guarantees: every call has a time-out and a bounded number of attempts;
`doing` turns each error of botocore into a RolloutError with reason and remedy. Does not: decide anything.
Sources: botocore documentation, "Error handling" (ClientError for an answer, BotoCoreError for everything else).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from rollout.errors import PreconditionError, RolloutError

CALLS = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 4, "mode": "standard"})
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedAccess")
STALE = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
UNKNOWN = ("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "SignatureDoesNotMatch")
SET_UP = "Set AWS_REGION and credentials, then try again"


class Clients(Protocol):
    """The boto3 clients that a rollout uses."""

    @property
    def ec2(self) -> Any: ...
    @property
    def autoscaling(self) -> Any: ...
    @property
    def ssm(self) -> Any: ...
    @property
    def cloudformation(self) -> Any: ...


class AwsClients:
    """boto3 clients with bounded calls; the Region is the one given, AWS_REGION or boto3's usual one; the credentials
    are boto3's.

    Raises PreconditionError where boto3 finds no Region or cannot read its configuration."""

    def __init__(self, given: str = "") -> None:
        region = given or os.environ.get(
            "AWS_REGION"
        )  # botocore itself knows only AWS_DEFAULT_REGION and the profile's
        with doing("cannot make clients for AWS"):
            self.ec2: Any = boto3.client("ec2", region_name=region, config=CALLS)
            self.autoscaling: Any = boto3.client("autoscaling", region_name=region, config=CALLS)
            self.ssm: Any = boto3.client("ssm", region_name=region, config=CALLS)
            self.cloudformation: Any = boto3.client("cloudformation", region_name=region, config=CALLS)


@contextmanager
def doing(failed: str) -> Iterator[None]:
    """Around calls of AWS. `failed` says what could not be done, for instance "cannot read group X".

    Raises RolloutError for an error that AWS answered, PreconditionError where AWS cannot be used from here."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise as_rollout_error(failed, error) from error


def read_parameter(clients: Clients, name: str) -> str:
    """The value of an SSM parameter; "" where there is none (a parameter is never empty). Raises RolloutError."""
    with doing(f"cannot read parameter {name}"):
        try:
            return str(clients.ssm.get_parameter(Name=name)["Parameter"]["Value"])
        except clients.ssm.exceptions.ParameterNotFound:
            return ""


def as_rollout_error(failed: str, error: ClientError | BotoCoreError) -> RolloutError:
    """One line: what could not be done, why, and what to do about it. Pure."""
    reason = " ".join(str(error).split()).rstrip(".")
    if not isinstance(error, ClientError):
        return PreconditionError(f"{failed}: AWS cannot be used from here: {reason}. {SET_UP}")
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code in UNKNOWN + STALE:
        remedy = "Renew your credentials" if code in STALE else "Use credentials of the account that has the stack"
        return PreconditionError(f"{failed}: {reason}. {remedy}, then try again")
    if code in DENIED:
        return RolloutError(f"{failed}: {reason}. Use a role that may call {error.operation_name}")
    return RolloutError(f"{failed}: {reason}. Try again; if it stays, look at the stack in the AWS console")
