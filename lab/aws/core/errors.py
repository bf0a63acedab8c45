"""AWS's refusals, as moto's serialisable errors.

For: every rule raises through here. Guarantees: boto3 sees a ClientError with this code and message. Does not: decide
anything. Sources: each service's API reference, "Error codes" or "Common errors". Where AWS publishes no text, the
code is certain and the text is ours.
"""

from __future__ import annotations

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.cloudformation.exceptions import CloudFormationError
from moto.ec2.exceptions import EC2ClientError
from moto.efs.exceptions import EFSError
from moto.route53.exceptions import Route53ClientError

# moto finds the service's error model by the module of the exception's class, hence one function per service.


def refused(code: str, message: str) -> Exception:
    """An error of EC2."""
    error: Exception = EC2ClientError(code, message)
    return error


def group_refused(code: str, message: str) -> Exception:
    """An error of Auto Scaling."""
    error: Exception = AutoscalingClientError(code, message)
    return error


def validation_error(message: str) -> Exception:
    """Auto Scaling's ValidationError."""
    return group_refused("ValidationError", message)


def record_refused(code: str, message: str) -> Exception:
    """An error of Route 53."""
    error: Exception = Route53ClientError(code, message)
    return error


def file_system_refused(code: str, message: str) -> Exception:
    """A conflict (409) of EFS."""
    error: Exception = EFSError(code, message)
    error.code = 409  # type: ignore[attr-defined]  # moto takes the HTTP status from here
    return error


def stack_refused(message: str, code: str = "ValidationError") -> Exception:
    """An error of CloudFormation."""
    error: Exception = CloudFormationError(code, message)
    return error
