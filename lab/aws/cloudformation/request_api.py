"""CloudFormation's checks of a request as it comes in, before the deployment engine sees it; termination protection.

For: CreateStack, UpdateStack, UpdateTerminationProtection. Guarantees: what `stack_requests` finds is refused as AWS
refuses it. Does not: look at what a template deploys (`api`).
Source: CloudFormation API reference CreateStack (InsufficientCapabilities), UpdateTerminationProtection.
"""

from collections.abc import Callable
from typing import Any

from moto.cloudformation.models import Stack
from moto.core.responses import ActionResult

from lab.aws.cloudformation.stack_requests import bad_request, missing_capability
from lab.aws.core.errors import stack_refused
from lab.aws.core.patches import ABSENT, original, replaces

_RESPONSE = "moto.cloudformation.responses:CloudFormationResponse"


def _checked(operation: str) -> Callable[[Any], Any]:
    def answer(self: Any) -> Any:
        body = self._get_param("TemplateBody")
        complaint = bad_request(self._get_param("StackName") if operation == "create_stack" else "", body)
        if complaint:
            raise stack_refused(complaint)
        if self._get_bool_param("UsePreviousTemplate"):
            body = self.cloudformation_backend.get_stack(self._get_param("StackName")).template
        template = Stack.parse_template(body or self._get_stack_from_s3_url(self._get_param("TemplateURL")))
        lacking = missing_capability(template, self._get_param("Capabilities", []))
        if lacking:
            raise stack_refused(f"Requires capabilities : [{lacking}]", "InsufficientCapabilitiesException")
        return original(f"{_RESPONSE}.{operation}")(self)

    return answer


for _operation in ("create_stack", "update_stack"):
    replaces(f"{_RESPONSE}.{_operation}", reason="moto takes any name, size and template")(_checked(_operation))


@replaces(f"{_RESPONSE}.update_termination_protection", expects=ABSENT, reason="moto does not have it")
def update_termination_protection(self: Any) -> Any:
    """UpdateTerminationProtection: on or off, whatever the stack's state."""
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    stack.enable_termination_protection = self._get_bool_param("EnableTerminationProtection")
    return ActionResult({"StackId": stack.stack_id})
