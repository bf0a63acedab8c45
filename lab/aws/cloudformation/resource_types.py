"""The table of CloudFormation resource types that the lab deploys.

For: `stack_operations`; a type that is not here makes a deployment fail by name. Guarantees: each type creates, updates
and deletes what the resource reference says, also where moto drops it. Does not: define types; the modules do.
"""

from lab.aws.cloudformation.custom_resources import CUSTOM_RESOURCE, CUSTOM_TYPES
from lab.aws.cloudformation.resource_types_compute import COMPUTE_TYPES
from lab.aws.cloudformation.resource_types_functions import FUNCTION_TYPES
from lab.aws.cloudformation.resource_types_network import NETWORK_TYPES
from lab.aws.cloudformation.resource_types_other import OTHER_TYPES
from lab.aws.cloudformation.stack_resources import ResourceType

TYPES: dict[str, ResourceType] = NETWORK_TYPES | COMPUTE_TYPES | FUNCTION_TYPES | CUSTOM_TYPES | OTHER_TYPES


def is_custom(type_name: str) -> bool:
    """True for custom resources; only their handler knows their properties."""
    return type_name.startswith("Custom::") or type_name == CUSTOM_RESOURCE


def type_named(type_name: str) -> ResourceType | None:
    """The type, or None when the lab does not model it."""
    return TYPES.get(CUSTOM_RESOURCE if is_custom(type_name) else type_name)
