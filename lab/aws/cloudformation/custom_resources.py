"""Custom resources: the template's own inline handler, run with the event CloudFormation sends.

For: `Custom::*` resources whose ServiceToken is a Lambda function of the same stack with inline Python code.
Guarantees: the handler runs in a process of its own with the Lambda's environment and credentials of its role, for at
most the resource's ServiceTimeout and the lab's; no answer, a crash and FAILED all fail the resource with the reason.
Does not: run code from S3 or container images, nor other languages; those fail by name.
Source: CloudFormation user guide "Custom resource request and response objects" (all property values are strings, the
physical id, PUT to ResponseURL), "Code.ZipFile" (module `index`).
"""

import json
import os
import subprocess
import sys
import tempfile
import uuid
from functools import partial
from pathlib import Path
from typing import Any

from lab.aws.cloudformation.stack_resources import (
    Deployed,
    MotoType,
    NotModelled,
    Properties,
    ResourceFailed,
    ResourceType,
    StackContext,
    goes_with_its_owner,
    refuse_changes,
)
from lab.aws.cloudformation.stack_tags import FUNCTION_TAGS
from lab.aws.cloudformation.state import CloudFormation
from lab.aws.core.call_log import Caller
from lab.aws.core.credentials import new_credentials

RESPONSE_PATH = "/_lab/custom-resource/"
_RUNNER = """
import importlib, json, sys, types
event = json.load(open(sys.argv[1]))
module, _, function = sys.argv[2].rpartition(".")
context = types.SimpleNamespace(
    function_name=sys.argv[3], log_group_name=sys.argv[4], log_stream_name="lab", aws_request_id=event["RequestId"],
    invoked_function_arn=event["ServiceToken"], memory_limit_in_mb="128", get_remaining_time_in_millis=lambda: 60000)
sys.path.insert(0, sys.argv[5])
getattr(importlib.import_module(module), function)(event, context)
"""
_KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "PYTHONPATH", "VIRTUAL_ENV")


class LambdaFunctionType(MotoType):
    """AWS::Lambda::Function: moto keeps the record; the code stays here for the custom resources."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """Inline code only. LoggingConfig counts when it runs."""
        _inline_code(logical_id, properties)
        properties.get("LoggingConfig")
        deployed = super().create(context, logical_id, type_name, properties)
        CloudFormation.of(context.cloud).lambdas[deployed.get_cfn_attribute("Arn")] = deployed
        return deployed


def _change_function(_context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
    """Code and settings change in place, under the same ARN; GetFunction tells the settings."""
    _inline_code(deployed.logical_resource_id, new)
    settings = {name: new.get(name, _FUNCTION_SETTINGS[name]) for name in changed if name in _FUNCTION_SETTINGS}
    deployed.record.update_configuration(settings)


_FUNCTION_SETTINGS: dict[str, Any] = {  # with Lambda's defaults
    "Description": "",
    "Timeout": 3,
    "Environment": {"Variables": {}},
    "MemorySize": 128,
    "Handler": None,
}


def _inline_code(logical_id: str, properties: Properties) -> str:
    code = properties.get("Code", {}).get("ZipFile")
    if not isinstance(code, str) or not str(properties.get("Runtime", "")).startswith("python"):
        raise NotModelled(
            f"the lab runs only Python functions with inline code (Code.ZipFile): {logical_id} is not one"
        )
    return code


class CustomResourceType:
    """AWS::CloudFormation::CustomResource and Custom::*."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        deployed = Deployed(logical_id, type_name, "", properties=properties)
        answer = _request(context, deployed, "Create", properties)
        _take(deployed, answer)
        return deployed

    def update(self, context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
        """RequestType Update; when the physical id changes, the old resource is deleted, as CloudFormation does."""
        if "ServiceToken" in changed:
            refuse_changes(deployed, ["ServiceToken"], ())
        before = deployed.physical_resource_id
        answer = _request(context, deployed, "Update", new, old=deployed.properties)
        _take(deployed, answer)
        if deployed.physical_resource_id != before:
            former = Deployed(deployed.logical_resource_id, deployed.cf_resource_type, before, deployed.properties)
            _request(context, former, "Delete", deployed.properties)

    def delete(self, context: StackContext, deployed: Deployed) -> None:
        _request(context, deployed, "Delete", deployed.properties)


def _take(deployed: Deployed, answer: dict[str, Any]) -> None:
    deployed.physical_resource_id = answer["PhysicalResourceId"]
    data = answer.get("Data") or {}
    deployed.attributes = {key: partial(data.__getitem__, key) for key in data}


def stringified(value: Any) -> Any:
    """The value as CloudFormation sends it: every scalar is a string."""
    if isinstance(value, dict):
        return {key: stringified(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [stringified(inner) for inner in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _request(
    context: StackContext, deployed: Deployed, kind: str, properties: Properties, old: Properties | None = None
) -> dict[str, Any]:
    function = CloudFormation.of(context.cloud).lambdas.get(properties.get("ServiceToken", ""))
    if function is None:
        raise NotModelled(f"ServiceToken of {deployed.logical_resource_id} is not a function of this lab's stacks")
    desk = CloudFormation.of(context.cloud).desk
    token = desk.open()
    event: dict[str, Any] = {
        "RequestType": kind,
        "ServiceToken": properties["ServiceToken"],
        "ResponseURL": f"{context.cloud.endpoint_url}{RESPONSE_PATH}{token}",
        "StackId": context.stack_id,
        "RequestId": str(uuid.uuid4()),
        "LogicalResourceId": deployed.logical_resource_id,
        "ResourceType": deployed.cf_resource_type,
        "ResourceProperties": stringified(properties),
    }
    if kind != "Create":
        event["PhysicalResourceId"] = deployed.physical_resource_id
    if old is not None:
        event["OldResourceProperties"] = stringified(old)
    output = _run(context, function, event)
    answer = desk.close(token)
    return _checked(deployed, kind, event, answer, output)


def _checked(
    deployed: Deployed, kind: str, event: dict[str, Any], answer: dict[str, Any] | None, output: str
) -> dict[str, Any]:
    who = f"custom resource {deployed.logical_resource_id} ({deployed.cf_resource_type})"
    if answer is None:
        raise ResourceFailed(f"{who} did not answer its {kind} request; its output ends with: {output[-600:]}")
    physical_id = str(answer.get("PhysicalResourceId") or "")
    if answer.get("Status") != "SUCCESS":
        reason = answer.get("Reason") or "no reason given"
        raise ResourceFailed(f"Received response status [FAILED] from {who}. Message returned: {reason}", physical_id)
    for key in ("StackId", "RequestId", "LogicalResourceId"):
        if answer.get(key) != event[key]:
            raise ResourceFailed(f"{who} answered with another {key}: {answer.get(key)}", physical_id)
    if not physical_id:
        raise ResourceFailed(f"Invalid PhysicalResourceId: {who} answered without one")
    return answer


def _timeout_s(context: StackContext, event: dict[str, Any]) -> float:
    own = float(event["ResourceProperties"].get("ServiceTimeout") or 3600)
    return min(own, context.cloud.timing.custom_resource_timeout_s)


def _run(context: StackContext, function: Deployed, event: dict[str, Any]) -> str:
    """Run the handler; returns what it wrote. Raises ResourceFailed when it takes too long."""
    properties = function.properties
    with tempfile.TemporaryDirectory(prefix="soloist-lambda-") as directory:
        code, document = Path(directory, "index.py"), Path(directory, "event.json")
        code.write_text(properties["Code"]["ZipFile"])
        document.write_text(json.dumps(event))
        name = function.physical_resource_id
        log_group = (properties.get("LoggingConfig") or {}).get("LogGroup", f"/aws/lambda/{name}")
        timeout_s = _timeout_s(context, event)
        try:
            done = subprocess.run(
                [sys.executable, "-c", _RUNNER, str(document), properties["Handler"], name, log_group, directory],
                env=_environment(context, name, properties),
                cwd=directory,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ResourceFailed(
                f"CloudFormation did not receive a response from your Custom Resource within {timeout_s:.0f} s "
                f"(function {name})"
            ) from error
    return done.stdout + done.stderr


def _environment(context: StackContext, function_name: str, properties: Properties) -> dict[str, str]:
    role = str(properties["Role"])
    head, _, role_name = role.replace(":iam:", ":sts:").partition(":role/")
    caller = Caller(kind="lambda-role", arn=f"{head}:assumed-role/{role_name}/{function_name}")
    made = new_credentials(context.cloud, caller)
    own = {key: os.environ[key] for key in _KEPT_ENVIRONMENT if key in os.environ}
    given: dict[str, str] = stringified((properties.get("Environment") or {}).get("Variables", {}))
    return {
        **own,
        **given,
        "AWS_REGION": context.cloud.region,
        "AWS_DEFAULT_REGION": context.cloud.region,
        "AWS_ENDPOINT_URL": context.cloud.endpoint_url,
        "AWS_ACCESS_KEY_ID": made.access_key_id,
        "AWS_SECRET_ACCESS_KEY": made.secret_access_key,
        "AWS_SESSION_TOKEN": made.token,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


CUSTOM_RESOURCE = "AWS::CloudFormation::CustomResource"
FUNCTION_TYPES: dict[str, ResourceType] = {
    "AWS::Lambda::Function": LambdaFunctionType(
        "moto.awslambda.models:LambdaFunction",
        tags=FUNCTION_TAGS,
        changes=("Code", "LoggingConfig", *_FUNCTION_SETTINGS),
        change=_change_function,
    ),
    "AWS::Lambda::Permission": MotoType("moto.awslambda.models:Permission", remove=goes_with_its_owner),
    CUSTOM_RESOURCE: CustomResourceType(),
}
