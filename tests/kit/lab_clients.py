"""boto3 clients of a control plane: the operator's, or those of an instance's role. They do not retry unless told to.

For: tests/contract. Guarantees: one session per identity, because reading the services' models takes longest.
Does not: serve several threads that make clients at once; tests/kit/lab_race.py has sessions of its own for that.
"""

from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.config import Config

from lab.aws import ControlPlane

REGION = "us-east-1"


@lru_cache
def _session(*identity: str) -> Any:
    return boto3.session.Session(*(identity or ("AKIAOPERATOR", "secret")), region_name=REGION)


def client(plane: ControlPlane, service: str, *, of: str = "", attempts: int = 1, read_timeout_s: float = 60.0) -> Any:
    """A client of the operator, or `of` an instance with a role."""
    identity: tuple[str, ...] = ()
    if of:
        view = plane.instance(of)
        assert view is not None
        assert view.credentials is not None, f"{of} has no role"
        identity = (view.credentials.access_key_id, view.credentials.secret_access_key, view.credentials.token)
    config = Config(retries={"total_max_attempts": attempts}, read_timeout=read_timeout_s)
    return _session(*identity).client(service, endpoint_url=plane.endpoint_url, config=config)


def operator(plane: ControlPlane) -> Any:
    """The clients of `soloist`, the operator's command."""
    return SimpleNamespace(**{name: client(plane, name) for name in ("ec2", "autoscaling", "ssm", "cloudformation")})
