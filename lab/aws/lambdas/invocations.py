"""Invoking a function: for a caller who waits, and from the queue of events that Lambda retries.

For: the API, custom resources, schedules. Guarantees: nothing runs under the cloud's lock or in the clockwork's thread;
what a handler writes is in its log group once it has ended; a function in a VPC gets neither an address nor
credentials that the control plane knows. Does not: keep environments warm; each invocation starts its own process.
Sources: Lambda developer guide "Using Lambda environment variables" (defined runtime environment variables),
"How Lambda handles errors and retries with asynchronous invocation" (two more times, after one and after two minutes;
throttled events for up to six hours, after 1 s growing to 5 minutes), "Sending Lambda function logs to CloudWatch
Logs", "Types of metrics for Lambda functions" (Invocations, Errors, Duration; no value where nothing ran).
"""

import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from lab.aws.core.call_log import Caller
from lab.aws.core.cloud import Cloud
from lab.aws.core.credentials import RoleCredentials, new_credentials
from lab.aws.lambdas.functions import Function, Lambdas, Retries, Throttled
from lab.aws.lambdas.runner import Job, Ran

_THROTTLED_FIRST_S, _THROTTLED_LAST_S = 1.0, 300.0
_NOBODYS = RoleCredentials(access_key_id="ASIALAMBDAINVPC00000", secret_access_key="none", token="none")


def invoke(cloud: Cloud, function: Function, event: Any, *, limit_s: float | None = None) -> Ran:
    """Run the function on `event` and wait for its end, at most its timeout or `limit_s`. Raises Throttled."""
    lambdas, request_id = Lambdas.of(cloud), str(uuid.uuid4())
    stream = time.strftime("%Y/%m/%d/[$LATEST]", time.gmtime(cloud.now())) + uuid.uuid4().hex
    context = {
        "function_name": function.name,
        "function_version": "$LATEST",
        "invoked_function_arn": function.arn,
        "memory_limit_in_mb": str(function.memory_mib),
        "aws_request_id": request_id,
        "log_group_name": function.log_group,
        "log_stream_name": stream,
    }
    job = Job(
        code=function.code,
        handler=function.handler,
        event=event,
        context=context,
        variables=_environment(cloud, function, stream),
        limit_s=function.timeout_s if limit_s is None else limit_s,
    )
    with lambdas.slot(function):
        start_s = time.monotonic()
        ran = lambdas.runner.run(job)
        took_s = time.monotonic() - start_s
        _log(cloud, function, stream, request_id, ran.output, took_s)
        _measure(cloud, function, Invocations=1, Errors=float(ran.error is not None), Duration=took_s * 1000)
    return ran


def _environment(cloud: Cloud, function: Function, stream: str) -> dict[str, str]:
    endpoint_url, made = cloud.endpoint_url, _NOBODYS
    if function.in_vpc:
        endpoint_url = Lambdas.of(cloud).dead_end.url
    else:
        head, _, role_name = function.role_arn.replace(":iam:", ":sts:").partition(":role/")
        session = f"{head}:assumed-role/{role_name.rpartition('/')[2]}/{function.name}"
        made = new_credentials(cloud, Caller(kind="lambda-role", arn=session))
    return {
        **function.variables,
        "_HANDLER": function.handler,
        "AWS_REGION": cloud.region,
        "AWS_DEFAULT_REGION": cloud.region,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mib),
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": made.access_key_id,
        "AWS_SECRET_ACCESS_KEY": made.secret_access_key,
        "AWS_SESSION_TOKEN": made.token,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _log(cloud: Cloud, function: Function, stream: str, request_id: str, output: str, took_s: float) -> None:
    lines = [f"START RequestId: {request_id} Version: $LATEST", *output.splitlines(), f"END RequestId: {request_id}"]
    lines.append(
        f"REPORT RequestId: {request_id}\tDuration: {took_s * 1000:.2f} ms\tMemory Size: {function.memory_mib} MB"
    )
    at_ms = int(cloud.now() * 1000)
    with cloud.call():
        logs = cloud.backend("logs")
        if function.log_group not in logs.groups:  # as Lambda does with the role's permission
            logs.create_log_group(function.log_group, {})
        group = logs.groups[function.log_group]
        group.create_log_stream(stream)
        group.put_log_events(stream, [{"timestamp": at_ms, "message": line} for line in lines])


def _measure(cloud: Cloud, function: Function, **values: float) -> None:
    dimensions = [{"Name": "FunctionName", "Value": function.name}]
    data = [{"MetricName": name, "Value": value, "Dimensions": dimensions} for name, value in values.items()]
    with cloud.call():
        cloud.backend("cloudwatch").put_metric_data("AWS/Lambda", data)


# -------------------------------------------------------------------- events that nobody waits for
@dataclass(frozen=True, kw_only=True)
class _Queued:
    function_arn: str
    event: Any
    since_s: float  # the control plane's clock
    failed: int = 0
    throttled: int = 0


def queue(cloud: Cloud, function: Function, event: Any) -> None:
    """Have the function invoked on `event` in a thread of its own, soon. Call under the lock."""
    _begin(cloud, _Queued(function_arn=function.arn, event=event, since_s=cloud.now()))


def _begin(cloud: Cloud, queued: _Queued) -> None:
    if cloud.stopping.is_set():
        return
    lambdas = Lambdas.of(cloud)
    thread = threading.Thread(target=_attempt, args=(cloud, queued), name="lambda-event", daemon=True)
    lambdas.threads = [*(one for one in lambdas.threads if one.is_alive()), thread]
    thread.start()


def _attempt(cloud: Cloud, queued: _Queued) -> None:
    lambdas = Lambdas.of(cloud)
    with cloud.lock:
        function = lambdas.functions.get(queued.function_arn)
        configured = lambdas.retries.get(queued.function_arn, Retries())
    if function is None:
        return
    try:
        ran = invoke(cloud, function, queued.event)
    except Throttled:
        wait_s = min(_THROTTLED_LAST_S, _THROTTLED_FIRST_S * 2**queued.throttled)
        _again(cloud, replace(queued, throttled=queued.throttled + 1), wait_s, configured)
        return
    if ran.error is None or cloud.stopping.is_set():
        return
    cloud.event("function", function.name, f"failed: {ran.error.get('errorMessage', '')}")
    if queued.failed < configured.attempts:
        failed = queued.failed + 1
        _again(cloud, replace(queued, failed=failed), failed * cloud.timing.minute_s, configured)


def _again(cloud: Cloud, queued: _Queued, wait_s: float, configured: Retries) -> None:
    with cloud.call():
        if cloud.now() + wait_s - queued.since_s <= configured.maximum_age_s:
            cloud.later(wait_s, _later(cloud, queued))


def _later(cloud: Cloud, queued: _Queued) -> Callable[[], None]:
    return lambda: _begin(cloud, queued)


def answer(ran: Ran) -> tuple[dict[str, str], str]:
    """Headers and body of what the Invoke API answers."""
    headers = {"Content-Type": "application/json", "X-Amz-Executed-Version": "$LATEST"}
    if ran.error is None:
        return headers, ran.result
    return headers | {"X-Amz-Function-Error": "Unhandled"}, json.dumps(ran.error)
