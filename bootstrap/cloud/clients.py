"""The clients of AWS, and the edge where botocore's errors become CloudError.

For: every module of this room. Guarantees: a client is made on first use, once, under a lock (making one is not
thread-safe, using it is); each call has short time-outs and two attempts, because the loops above have deadlines of
their own (metrics and log one attempt: the next one is the second); every error names the call that failed and says
whether trying again may help.
Does not: choose endpoints (boto3 reads AWS_ENDPOINT_URL itself) or credentials (the instance profile), or correct a
wrong clock: botocore signs with the machine's.
Sources: botocore guide "Config reference", "Error handling"; EC2 API reference "Error codes"; IAM user guide "AWS
Signature Version 4 for API requests" (a request must reach AWS within five minutes of its time stamp); STS API
reference DecodeAuthorizationMessage (only some operations return such a message).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from bootstrap.base.errors import AgentError, CloudError, Reason

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_ssm import SSMClient

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 3
READ_TIMEOUT_S = 8
ATTEMPTS = 2
# A beat that meets no answer is over before the next one is due.
BEAT_READ_TIMEOUT_S = 5
BEAT_ATTEMPTS = 1

RETRYABLE_CODES = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "TooManyRequestsException",
        "PriorRequestNotComplete",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "ServiceUnavailable",
        "Unavailable",
        "RequestTimeout",
        "ResourceContention",
    }
)

# What AWS answers while a new role or its credentials have not spread yet (IAM user guide, "Changes that I make are not
# always immediately visible"). Later the same codes are a refusal.
PROPAGATION_S = 120.0
PROPAGATION_CODES = frozenset(
    {
        "UnauthorizedOperation",
        "AuthFailure",
        "AccessDenied",
        "AccessDeniedException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "ExpiredToken",
        "ExpiredTokenException",
        # A clock that has not been set yet: instances start with it (aws/aws-sdk-java#519).
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
    }
)
SKEWED_CODES = frozenset({"RequestExpired", "RequestTimeTooSkewed"})
SKEWED_WORDS = ("Signature expired", "Signature not yet current")  # of a refused signature, whatever its code is
REFUSED_CODES = frozenset({"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"})
MOST_SKEW_S = 240.0  # AWS refuses a signature that is five minutes old
_LOGGED: set[str] = set()  # calls whose encoded message is in the log
ENCODED = "Encoded authorization failure message:"


class Clients:
    """The clients for one Region, each made when first asked for."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._lock = threading.Lock()
        self._session: Any = None
        self._clients: dict[str, Any] = {}

    def ec2(self) -> EC2Client:
        client: EC2Client = self._get("ec2")
        return client

    def autoscaling(self) -> AutoScalingClient:
        client: AutoScalingClient = self._get("autoscaling")
        return client

    def route53(self) -> Route53Client:
        client: Route53Client = self._get("route53")
        return client

    def ssm(self) -> SSMClient:
        client: SSMClient = self._get("ssm")
        return client

    def sns(self) -> SNSClient:
        client: SNSClient = self._get("sns")
        return client

    def cloudwatch(self) -> CloudWatchClient:
        client: CloudWatchClient = self._get("cloudwatch")
        return client

    def logs(self) -> Any:
        """CloudWatch Logs; made only where the service file asks for it."""
        return self._get("logs")

    def _get(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make(service)
            return self._clients[service]

    def _make(self, service: str) -> Any:
        # Imported here, because it takes up to a second on a slow machine, while the file system is being mounted.
        import boto3
        import botocore.session
        from botocore.config import Config

        if self._session is None:
            core = botocore.session.Session()
            # The defaults (one attempt, one second) are too short while the instance profile is still spreading.
            core.set_config_variable("metadata_service_timeout", 3)
            core.set_config_variable("metadata_service_num_attempts", 4)
            self._session = boto3.Session(botocore_session=core, region_name=self._region)
        is_beat = service in ("cloudwatch", "logs")
        config = Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=BEAT_READ_TIMEOUT_S if is_beat else READ_TIMEOUT_S,
            retries={"total_max_attempts": BEAT_ATTEMPTS if is_beat else ATTEMPTS, "mode": "standard"},
        )
        return self._session.client(service, config=config)


def passes_with_time(error: AgentError, elapsed_s: float) -> bool:
    """Whether a call that fails with `error`, `elapsed_s` after it was first made, may succeed when it is repeated.

    The one policy for every loop around calls to AWS (bootstrap.base.retry)."""
    if not isinstance(error, CloudError):
        return False
    return error.retryable or (error.code in PROPAGATION_CODES and elapsed_s < PROPAGATION_S)


@contextmanager
def converted(what: str, *, retryable: frozenset[str] = frozenset()) -> Iterator[None]:
    """Turn botocore's errors into CloudError. `what` names the call; `retryable` are its own codes that may pass."""
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    try:
        yield
    except ClientError as error:
        details = error.response.get("Error", {})
        code, message = str(details.get("Code", "Unknown")), str(details.get("Message", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        again = code in RETRYABLE_CODES or code in retryable or status >= 500
        skew_s = _skew_s(error.response)
        reason = _cause(code, message, skew_s)
        sentence = f"{what}: {code}: {message}"
        if reason == "access-denied":
            sentence = f"{what}: {error.operation_name} is refused: {code}: {_decoded_elsewhere(what, message)}"
        elif reason == "clock-skew" and skew_s is not None:
            sentence = f"{sentence} (this clock is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} AWS's)"
        raise CloudError(sentence, code=code, retryable=again, reason=reason) from error
    except BotoCoreError as error:
        # No answer, or no credentials yet. Nobody knows whether the call was performed.
        again = not isinstance(error, ParamValidationError)
        raise CloudError(f"{what}: {error}", code=type(error).__name__, retryable=again) from error


def _cause(code: str, message: str, skew_s: float | None) -> Reason | None:
    """The reason of an answer whose cause is known."""
    is_skewed = skew_s is not None and abs(skew_s) > MOST_SKEW_S and code in PROPAGATION_CODES - REFUSED_CODES
    if is_skewed or code in SKEWED_CODES or any(words in message for words in SKEWED_WORDS):
        return "clock-skew"
    return "access-denied" if code in REFUSED_CODES else None


def _skew_s(response: Any) -> float | None:
    """How far the wall clock of this machine is ahead of the answer's Date, None where the answer has none."""
    date = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return time.time() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


def _decoded_elsewhere(what: str, message: str) -> str:
    """`message` without AWS's encoded one, which is long and goes to the log, once for each call of a run."""
    words, _, encoded = message.partition(ENCODED)
    if not encoded:
        return message
    if what not in _LOGGED:
        _LOGGED.add(what)
        log.warning("%s: %s%s", what, ENCODED, encoded)
    return f"{words.strip()} The log has AWS's encoded message for `aws sts decode-authorization-message`"
