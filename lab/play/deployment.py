"""Deploys a synthesized template to the lab's control plane over HTTP, as `cdk deploy` does to CloudFormation.

For: scenes, chaos and `make lab-deploy`. Guarantees: each request carries the bytes of its file and the tags of its
stack, and a stack keeps its parameters, as with `cdk deploy`; stacks that follow another one are deployed after it, in
their order; the wait for each outcome has a deadline; a failed deployment raises with the stack's own reason. Does not:
roll back or delete a stack.
"""

import json
from typing import Any

from botocore.exceptions import ClientError

from lab.base.errors import LabError
from lab.base.waiting import wait_for
from lab.play.synthesis import Template

DEPLOY_LIMIT_S = 120.0
NOTHING_TO_DO = "No updates are to be performed"


def deploy(cloudformation: Any, template: Template) -> str:
    """Create or update the stack of `template`, then those of its followers; returns `created`, `updated` or
    `unchanged`, the first of these words that is true of one of them. Raises LabError."""
    outcomes = {_deploy_one(cloudformation, one) for one in (template, *template.followers)}
    return next(word for word in ("created", "updated", "unchanged") if word in outcomes)


def _deploy_one(cloudformation: Any, template: Template) -> str:
    body = template.path.read_text()
    request: dict[str, Any] = {
        "StackName": template.stack_name,
        "TemplateBody": body,
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
    }
    if template.tags:
        request["Tags"] = [{"Key": key, "Value": value} for key, value in template.tags.items()]
    former = _stack(cloudformation, template.stack_name)
    exists = former is not None
    if former is not None:
        known = set(json.loads(body).get("Parameters", {}))
        keys = [one["ParameterKey"] for one in former.get("Parameters", []) if one["ParameterKey"] in known]
        request["Parameters"] = [{"ParameterKey": key, "UsePreviousValue": True} for key in keys]
    try:
        cloudformation.update_stack(**request) if exists else cloudformation.create_stack(**request)
    except ClientError as error:
        if NOTHING_TO_DO in str(error):
            return "unchanged"
        raise LabError(f"deployment of {template.stack_name} refused: {error}") from error
    status = wait_for(
        lambda: _settled(cloudformation, template.stack_name),
        f"deployment of {template.stack_name}",
        deadline_s=DEPLOY_LIMIT_S,
        describe=lambda: str(_status(cloudformation, template.stack_name)),
    )
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise LabError(f"deployment of {template.stack_name} ended in {status}: {_reasons(cloudformation, template)}")
    return "updated" if exists else "created"


def _status(cloudformation: Any, name: str) -> str | None:
    stack = _stack(cloudformation, name)
    return None if stack is None else str(stack["StackStatus"])


def _stack(cloudformation: Any, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return found
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def _settled(cloudformation: Any, name: str) -> str | None:
    status = _status(cloudformation, name)
    return None if status is None or status.endswith("IN_PROGRESS") else status


def _reasons(cloudformation: Any, template: Template) -> str:
    events = cloudformation.describe_stack_events(StackName=template.stack_name)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
    said = [f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason')}" for event in failed]
    return "; ".join(said[:5]) or "no failed event"
