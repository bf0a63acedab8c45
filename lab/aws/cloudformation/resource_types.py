"""The table of CloudFormation resource types that the lab deploys.

For: `stack_operations`; a type that is not here makes a deployment fail by name. Guarantees: each type creates, updates
and deletes what the resource reference says, also where moto drops it. Does not: define types; the modules do.
"""

from __future__ import annotations

from lab.aws.cloudformation.custom_resources import CustomResourceType, LambdaFunctionType, remove_with_its_function
from lab.aws.cloudformation.resource_types_compute import GroupType, LaunchTemplateType
from lab.aws.cloudformation.resource_types_names import NAME_TYPES
from lab.aws.cloudformation.resource_types_network import NETWORK_TYPES
from lab.aws.cloudformation.resource_types_other import OTHER_TYPES
from lab.aws.cloudformation.resource_types_storage import STORAGE_TYPES
from lab.aws.cloudformation.resource_types_watch import WATCH_TYPES
from lab.aws.cloudformation.stack_resources import MotoType, ResourceType
from lab.aws.cloudformation.stack_tags import FUNCTION_TAGS

TYPES: dict[str, ResourceType] = {
    **NETWORK_TYPES,
    **STORAGE_TYPES,
    **NAME_TYPES,
    **OTHER_TYPES,
    **WATCH_TYPES,
    "AWS::EC2::LaunchTemplate": LaunchTemplateType(),
    "AWS::AutoScaling::AutoScalingGroup": GroupType(),
    "AWS::Lambda::Function": LambdaFunctionType("moto.awslambda.models:LambdaFunction", tags=FUNCTION_TAGS),
    "AWS::Lambda::Permission": MotoType("moto.awslambda.models:Permission", remove=remove_with_its_function),
    "AWS::CloudFormation::CustomResource": CustomResourceType(),
}


def is_custom(type_name: str) -> bool:
    """True for custom resources; only their handler knows their properties."""
    return type_name.startswith("Custom::") or type_name == "AWS::CloudFormation::CustomResource"


def type_named(type_name: str) -> ResourceType | None:
    """The type, or None when the lab does not model it."""
    if is_custom(type_name):
        return TYPES["AWS::CloudFormation::CustomResource"]
    return TYPES.get(type_name)
