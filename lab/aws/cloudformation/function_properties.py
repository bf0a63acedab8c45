"""What a template says of a function, checked as Lambda checks it.

For: `resource_types_functions`. Guarantees: what would not run on AWS is refused with Lambda's own error: a role that
Lambda cannot assume, reserved or too large environment variables, subnets and groups that are not there. Does not: make
or change anything.
Sources: CloudFormation resource reference AWS::Lambda::Function; Lambda API reference CreateFunction and its errors;
Lambda developer guide "Using Lambda environment variables" (reserved names, 4 KB together).
"""

import json
import re
from typing import Any

from lab.aws.cloudformation.stack_resources import NotModelled, Properties, ResourceFailed, StackContext
from lab.aws.lambdas.functions import DEFAULT_MEMORY_MIB, DEFAULT_TIMEOUT_S, Function

_RESERVED_NAMES = re.compile(
    r"_HANDLER|_X_AMZN_TRACE_ID|AWS_(DEFAULT_)?REGION|AWS_EXECUTION_ENV|AWS_ACCESS_KEY(_ID)?|AWS_SECRET_ACCESS_KEY|"
    r"AWS_SESSION_TOKEN|AWS_LAMBDA_RUNTIME_API|LAMBDA_(TASK_ROOT|RUNTIME_DIR)|"
    r"AWS_LAMBDA_(FUNCTION_(NAME|MEMORY_SIZE|VERSION)|INITIALIZATION_TYPE|LOG_(GROUP|STREAM)_NAME)"
)


def refuse_others(type_name: str, properties: Properties, known: set[str]) -> None:
    for unknown in sorted(set(properties) - known):
        raise NotModelled(f"the lab does not model {unknown} of {type_name}, and drops nothing in silence")


def invalid(text: str) -> ResourceFailed:
    return ResourceFailed(f"{text} (Service: Lambda, Error Code: InvalidParameterValueException)")


def function_from(context: StackContext, logical_id: str, name: str, properties: Properties) -> Function:
    """Raises NotModelled and ResourceFailed."""
    cloud, role_arn = context.cloud, str(properties["Role"])
    timeout_s = int(properties.get("Timeout", DEFAULT_TIMEOUT_S))
    memory_mib = int(properties.get("MemorySize", DEFAULT_MEMORY_MIB))
    reserved = properties.get("ReservedConcurrentExecutions")
    if not 1 <= timeout_s <= 900:
        raise invalid(f"Timeout must be 1 to 900 seconds, not {timeout_s}")
    if not 128 <= memory_mib <= 10_240:
        raise invalid(f"MemorySize must be 128 to 10240 MB, not {memory_mib}")
    _refuse_role(context, role_arn)
    return Function(
        name=name,
        arn=f"arn:aws:lambda:{cloud.region}:{cloud.account_id}:function:{name}",
        code=_inline_code(logical_id, properties),
        handler=str(properties["Handler"]),
        role_arn=role_arn,
        timeout_s=timeout_s,
        memory_mib=memory_mib,
        variables=_variables(properties),
        log_group=str((properties.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"),
        in_vpc=_is_in_vpc(context, properties.get("VpcConfig") or {}),
        reserved=None if reserved is None else int(reserved),
    )


def _inline_code(logical_id: str, properties: Properties) -> str:
    code = properties.get("Code", {}).get("ZipFile")
    if not isinstance(code, str) or not str(properties.get("Runtime", "")).startswith("python"):
        raise NotModelled(
            f"the lab runs only Python functions with inline code (Code.ZipFile): {logical_id} is not one"
        )
    if properties.get("Architectures", ["x86_64"]) not in (["x86_64"], ["arm64"]):
        raise invalid(f"Architectures must be one of x86_64 and arm64, not {properties['Architectures']}")
    return code


def _variables(properties: Properties) -> dict[str, str]:
    given = (properties.get("Environment") or {}).get("Variables", {})
    variables = {name: _text(value) for name, value in given.items()}
    reserved = sorted(filter(_RESERVED_NAMES.fullmatch, variables))
    if reserved:
        raise invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            f"provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    if len(json.dumps(variables)) > 4096:
        raise invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided exceeded the 4KB limit"
        )
    return variables


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _refuse_role(context: StackContext, role_arn: str) -> None:
    roles = context.cloud.backend("iam").roles.values()
    document = next((role.assume_role_policy_document for role in roles if role.arn == role_arn), None)
    statements = _listed((json.loads(document) if isinstance(document, str) else document or {}).get("Statement"))
    trusted = [one.get("Principal", {}) for one in statements if one.get("Effect") == "Allow"]
    if not any("lambda.amazonaws.com" in _listed(one.get("Service")) for one in trusted if isinstance(one, dict)):
        raise invalid(f"The role defined for the function cannot be assumed by Lambda: {role_arn}")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _is_in_vpc(context: StackContext, config: dict[str, Any]) -> bool:
    """True with subnets. Raises for such that do not exist, and for groups of another VPC."""
    subnet_ids, group_ids = config.get("SubnetIds") or [], config.get("SecurityGroupIds") or []
    refuse_others("AWS::Lambda::Function VpcConfig", config, {"SubnetIds", "SecurityGroupIds"})
    ec2 = context.cloud.backend("ec2")
    known = {name: subnet for zone in ec2.subnets.values() for name, subnet in zone.items()}
    for subnet_id in subnet_ids:
        if subnet_id not in known:
            raise invalid(f"The subnet ID '{subnet_id}' does not exist")
    vpc_ids = {known[subnet_id].vpc_id for subnet_id in subnet_ids}
    for group_id in group_ids:
        if not any(group_id in ec2.groups.get(vpc_id, {}) for vpc_id in vpc_ids):
            raise invalid(f"The security group '{group_id}' does not exist in VPC {', '.join(sorted(vpc_ids))}")
    if bool(subnet_ids) != bool(group_ids) or len(vpc_ids) > 1:
        raise invalid("VpcConfig needs SubnetIds and SecurityGroupIds of one VPC")
    return bool(subnet_ids)
