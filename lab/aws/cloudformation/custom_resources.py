"""Custom resources: the template's own inline handler, run with the event CloudFormation sends.

For: `Custom::*` resources whose ServiceToken is a Lambda function of the same stack with inline Python code.
Guarantees: the function runs for at most the resource's ServiceTimeout and the lab's; no answer, a crash and FAILED all
fail the resource with the reason. Does not: run anything itself; `lab.aws.lambdas` does.
Source: CloudFormation user guide "Custom resource request and response objects" (all property values are strings, the
physical id, PUT to ResponseURL).
"""

import uuid
from functools import partial
from typing import Any

from lab.aws.cloudformation.stack_resources import (
    Deployed,
    NotModelled,
    Properties,
    ResourceFailed,
    ResourceType,
    StackContext,
    refuse_changes,
)
from lab.aws.cloudformation.state import CloudFormation
from lab.aws.lambdas.functions import Function, Lambdas, Throttled
from lab.aws.lambdas.invocations import invoke

RESPONSE_PATH = "/_lab/custom-resource/"


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
    function = Lambdas.of(context.cloud).functions.get(properties.get("ServiceToken", ""))
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


def _run(context: StackContext, function: Function, event: dict[str, Any]) -> str:
    """Run the handler; returns what it wrote. Raises ResourceFailed when it takes too long."""
    timeout_s = _timeout_s(context, event)
    try:
        ran = invoke(context.cloud, function, event, limit_s=timeout_s)
    except Throttled as error:
        raise ResourceFailed(f"function {function.name} is throttled: raise ReservedConcurrentExecutions") from error
    if ran.is_late:
        raise ResourceFailed(
            f"CloudFormation did not receive a response from your Custom Resource within {timeout_s:.0f} s "
            f"(function {function.name})"
        )
    return ran.output


CUSTOM_RESOURCE = "AWS::CloudFormation::CustomResource"
CUSTOM_TYPES: dict[str, ResourceType] = {CUSTOM_RESOURCE: CustomResourceType()}
