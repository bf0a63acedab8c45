"""AWS's refusals, as moto's serialisable errors.

For: every rule raises through here. Guarantees: boto3 sees a ClientError with this code and message. Does not: decide
anything. Sources: each service's API reference, "Error codes" or "Common errors". Where AWS publishes no text, the
code is certain and the text is ours.
"""

from collections.abc import Callable

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.cloudformation.exceptions import CloudFormationError
from moto.ec2.exceptions import EC2ClientError
from moto.efs.exceptions import EFSError
from moto.route53.exceptions import Route53ClientError

# moto finds the service's error model by the module of the exception's class, hence one per service.
refused: Callable[[str, str], Exception] = EC2ClientError  # code, message
group_refused: Callable[[str, str], Exception] = AutoscalingClientError
record_refused: Callable[[str, str], Exception] = Route53ClientError


def validation_error(message: str) -> Exception:
    """Auto Scaling's ValidationError."""
    return group_refused("ValidationError", message)


def bad_group_token() -> Exception:
    """Auto Scaling's refusal of a NextToken."""
    return group_refused("InvalidNextToken", "The NextToken value is not valid.")


def bad_token() -> Exception:
    """EC2's refusal of a NextToken."""
    return refused("InvalidPaginationToken", "The specified pagination token is not valid or is expired.")


def file_system_refused(code: str, message: str, status: int = 409) -> Exception:
    """A conflict of EFS, or another refusal by its HTTP status."""
    error: Exception = EFSError(code, message)
    error.code = status  # type: ignore[attr-defined]  # moto takes the HTTP status from here
    return error


def stack_refused(message: str, code: str = "ValidationError") -> Exception:
    error: Exception = CloudFormationError(code, message)
    return error
