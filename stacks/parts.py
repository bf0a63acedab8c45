"""What the service's stack tells the watch stack: ids that AWS makes, in one parameter of Systems Manager.

For: stacks.service_stack, which writes them, and stacks.watch_stack, which reads them. Guarantees: one list in one
order (bootstrap.base.names.PARTS), read again at every deployment of the watch stack; the service's stack can change
and go without the other one, which an export in use would not let it. Does not: reach an instance.
Source: CloudFormation user guide, "Systems Manager parameter types" (the newest value is read by each stack operation;
a dynamic reference `{{resolve:ssm}}` is read only when the text of its resource changes).
"""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from bootstrap.base.names import PARTS, Part, parts_parameter


def write_parts(scope: Construct, service: str, parts: Mapping[Part, str]) -> None:
    """`parts`: tokens."""
    value = cdk.Fn.join(",", [parts[part] for part in PARTS])
    ssm.CfnParameter(scope, "Parts", name=parts_parameter(service), type="StringList", value=value)


def read_parts(scope: Construct, service: str) -> dict[Part, str]:
    """Tokens."""
    told = cdk.CfnParameter(
        scope,
        "Parts",
        type="AWS::SSM::Parameter::Value<List<String>>",
        default=parts_parameter(service),
        description="The SSM parameter in which the stack of the service tells its ids. Leave it as it is.",
    )
    return {part: cdk.Fn.select(number, told.value_as_list) for number, part in enumerate(PARTS)}
