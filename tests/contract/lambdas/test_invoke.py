"""Lambda's Invoke over HTTP: what the handler gets, what the caller gets back, and what a function cannot do."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab.base.waiting import wait_for
from tests.contract.lambdas.function_stack import ARN, FunctionStack, open_function_stack

ECHO = """
import os
import boto3

def handle(event, context):
    print("said", event)
    return {"event": event, "arn": context.invoked_function_arn, "left_ms": context.get_remaining_time_in_millis(),
            "memory": context.memory_limit_in_mb, "greeting": os.environ["GREETING"],
            "who": boto3.client("sts").get_caller_identity()["Arn"]}
"""


def test_the_handler_gets_event_context_environment_and_its_role(stack: FunctionStack) -> None:
    made = stack.deploy(ECHO, properties={"Environment": {"Variables": {"GREETING": "hello"}}, "MemorySize": 256})
    assert made["StackStatus"] == "CREATE_COMPLETE", made
    error, answer = stack.invoke({"a": [1]})
    assert error == ""
    assert 0 < answer.pop("left_ms") <= 30_000
    assert answer == {
        "event": {"a": [1]},
        "arn": ARN,
        "memory": "256",
        "greeting": "hello",
        "who": "arn:aws:sts::123456789012:assumed-role/watch/watch",
    }
    start, said, end, report = stack.log()
    assert said == "said {'a': [1]}"
    assert start.startswith("START RequestId: ")
    assert end.startswith("END RequestId: ")
    assert "Memory Size: 256 MB" in report
    calls = [call for call in stack.plane.calls.calls() if call.action == "lambda:InvokeFunction"]
    assert [[one.arn for one in call.resources] for call in calls] == [[ARN]]


@pytest.mark.parametrize(
    ("code", "handler", "kind", "text"),
    [
        ("def handle(e, c): raise KeyError('there')", "index.handle", "KeyError", "'there'"),
        ("def handle(e, c): return object()", "index.handle", "Runtime.MarshalError", "Unable to marshal response: "),
        (
            "import sys\ndef handle(e, c): sys.exit(3)",
            "index.handle",
            "Runtime.ExitError",
            "Runtime exited with error: exit status 3",
        ),
        ("def handle(e, c): return 1", "index.other", "Runtime.HandlerNotFound", "Handler 'other' missing"),
        ("import yaml", "index.handle", "Runtime.ImportModuleError", "No module named 'yaml'"),
        ("1 / 0", "index.handle", "ZeroDivisionError", "division by zero"),
        ("import time\ndef handle(e, c): time.sleep(60)", "index.handle", "Sandbox.Timedout", "timed out after 1.00 s"),
    ],
    ids=lambda value: value if "." in value and " " not in value else "",
)
def test_an_error_of_the_function_is_an_answer(
    stack: FunctionStack, code: str, handler: str, kind: str, text: str
) -> None:
    stack.deploy(code, properties={"Handler": handler, "Timeout": 1})
    error, answer = stack.invoke()
    assert (error, answer["errorType"]) == ("Unhandled", kind)
    assert text in answer["errorMessage"]
    assert any(text in line for line in stack.log()), "the log says it too"


def test_a_function_is_found_by_name_and_by_arn_and_is_gone_with_its_stack(stack: FunctionStack) -> None:
    stack.deploy("def handle(event, context): return event")
    for name in ("watch", ARN, "123456789012:function:watch"):
        assert stack.invoke(7, name) == ("", 7)
    for name in ("other", ARN.replace("123456789012", "999999999999")):
        refused(lambda name=name: stack.invoke(7, name), "ResourceNotFoundException")
    stack.delete()
    refused(lambda: stack.invoke(7), "ResourceNotFoundException")


def refused(work: Any, code: str) -> None:
    with pytest.raises(ClientError) as caught:
        work()
    assert caught.value.response["Error"]["Code"] == code


def test_what_is_no_json_and_what_would_be_queued_is_refused(stack: FunctionStack) -> None:
    stack.deploy("def handle(event, context): return event")
    lambda_ = stack.client("lambda")
    refused(lambda: lambda_.invoke(FunctionName="watch", Payload=b"{"), "InvalidRequestContentException")
    refused(lambda: lambda_.invoke(FunctionName="watch", InvocationType="Event"), "NotModelledByTheLab")
    assert stack.plane.errors.pop().startswith("the lab does not model InvocationType=Event of lambda:Invoke")
    with stack.plane.cloud.lock:
        stack.plane.cloud.errors.clear()


def test_changed_code_and_settings_count_at_once(stack: FunctionStack) -> None:
    stack.deploy("def handle(event, context): return 1")
    made = stack.deploy("def handle(event, context): return context.memory_limit_in_mb", properties={"MemorySize": 512})
    assert made["StackStatus"] == "UPDATE_COMPLETE", made
    assert stack.invoke() == ("", "512")
    assert stack.client("lambda").get_function_configuration(FunctionName="watch")["MemorySize"] == 512


def test_each_invocation_is_measured(stack: FunctionStack) -> None:
    """By what alarms on a function itself look at."""
    stack.deploy("def handle(event, context): return 1 / event")
    assert [stack.invoke(number)[0] for number in (1, 0, 2)] == ["", "Unhandled", ""]
    now_s = stack.plane.cloud.now()
    assert {name: measured(stack, name, now_s) for name in ("Invocations", "Errors")} == {"Invocations": 3, "Errors": 1}


def measured(stack: FunctionStack, name: str, now_s: float) -> float:
    dimensions = [{"Name": "FunctionName", "Value": "watch"}]
    query = {"Metric": {"Namespace": "AWS/Lambda", "MetricName": name, "Dimensions": dimensions}, "Period": 60}
    found = stack.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "one", "MetricStat": query | {"Stat": "Sum"}}],
        StartTime=now_s - 60,
        EndTime=now_s + 1,
    )
    return float(sum(found["MetricDataResults"][0]["Values"]))


LONG = """
import time

def handle(event, context):
    time.sleep(event)
    return "slept"
"""


def test_no_more_run_at_once_than_are_reserved(stack: FunctionStack) -> None:
    stack.deploy(LONG, properties={"ReservedConcurrentExecutions": 1})
    with ThreadPoolExecutor() as pool:
        first = pool.submit(stack.invoke, 3)
        wait_for(lambda: running(stack) or None, "the first invocation to run", deadline_s=10.0, poll_s=0.02)
        refused(lambda: stack.invoke(0), "TooManyRequestsException")
        assert first.result(timeout=30) == ("", "slept")
    assert stack.invoke(0) == ("", "slept")


def running(stack: FunctionStack) -> list[str]:
    """The processes of this control plane's functions."""
    mark = f"AWS_ENDPOINT_URL={stack.plane.endpoint_url}\0".encode()
    return [pid.name for pid in Path("/proc").glob("[0-9]*") if mark in environment(pid)]


def environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


def test_nothing_of_a_function_outlives_its_invocation(stack: FunctionStack) -> None:
    code = """
import subprocess

def handle(event, context):
    return subprocess.Popen(["sleep", "300"]).pid
"""
    stack.deploy(code)
    error, pid = stack.invoke()
    assert error == ""

    def is_gone() -> bool | None:
        try:
            return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text() or None
        except OSError:
            return True

    wait_for(is_gone, "what the function started to be gone", deadline_s=10.0, poll_s=0.05)


IN_VPC = """
import boto3, urllib.request
from botocore.config import Config
from botocore.exceptions import ConnectTimeoutError

def handle(event, context):
    config = Config(connect_timeout=1, retries={"total_max_attempts": 1})
    try:
        boto3.client("sts", config=config).get_caller_identity()
    except ConnectTimeoutError:
        pass
    else:
        return "the API answered"
    with urllib.request.urlopen(event, timeout=5) as answer:
        return answer.read().decode()
"""


def test_a_function_in_a_vpc_reaches_instances_and_no_api(stack: FunctionStack) -> None:
    ec2 = stack.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="watch", Description="watch", VpcId=vpc)["GroupId"]
    config = {"SubnetIds": [subnet], "SecurityGroupIds": [group]}
    made = stack.deploy(IN_VPC, properties={"VpcConfig": config})
    assert made["StackStatus"] == "CREATE_COMPLETE", made
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer_once, args=(listener,))
        thread.start()
        assert stack.invoke(f"http://127.0.0.1:{listener.getsockname()[1]}/live") == ("", "alive")
        thread.join(10)
    assert not [call for call in stack.plane.calls.calls() if call.caller.kind == "lambda-role"]


def _answer_once(listener: socket.socket) -> None:
    listener.settimeout(30)
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nalive")


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"Layers": ["arn:aws:lambda:us-east-1:1:layer:x:1"]}, "the lab does not model Layers"),
        ({"Runtime": "nodejs22.x"}, "the lab runs only Python functions with inline code"),
        ({"Timeout": 901}, "Timeout must be 1 to 900 seconds, not 901"),
        ({"MemorySize": 64}, "MemorySize must be 128 to 10240 MB, not 64"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "Reserved keys used in this request: AWS_REGION"),
        ({"Environment": {"Variables": {"A": "x" * 4096}}}, "exceeded the 4KB limit"),
        ({"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}, "'subnet-1' does not exist"),
        ({"Role": "arn:aws:iam::123456789012:role/none"}, "cannot be assumed by Lambda"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_what_would_not_run_on_aws_or_is_not_modelled_fails_the_stack(
    stack: FunctionStack, properties: dict[str, Any], reason: str
) -> None:
    stack.deploy("def handle(event, context): pass", properties=properties)
    (found,) = stack.client("cloudformation").describe_stacks(StackName="s")["Stacks"]
    assert found["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reason in found["StackStatusReason"]


def test_stopping_the_control_plane_ends_what_runs() -> None:
    before = set(threading.enumerate())
    with open_function_stack() as stack, ThreadPoolExecutor() as pool:
        stack.deploy(LONG)
        caller = pool.submit(stack.invoke, 25)
        wait_for(lambda: running(stack) or None, "the invocation to run", deadline_s=10.0, poll_s=0.02)
        begun_s = time.monotonic()
        stack.plane.stop()
        assert time.monotonic() - begun_s < 10
        caller.exception(timeout=30)
    assert not running(stack)
    wait_for(
        lambda: {one for one in threading.enumerate() if one.is_alive()} <= before or None,
        "its threads to be gone",
        deadline_s=10.0,
        describe=lambda: str(threading.enumerate()),
    )
