"""CloudFormation's functions, who may invoke them, how often they are tried again, and the schedules that invoke them.

For: `resource_types`. Guarantees: code and settings change in place, under the same ARN; a schedule stops with its
rule; a setting that would not count is refused by name. Does not: run code from S3 or container images, nor other
languages.
Sources: CloudFormation resource reference AWS::Lambda::Function, AWS::Lambda::Permission,
AWS::Lambda::EventInvokeConfig, AWS::Events::Rule.
"""

import json
from typing import Any

from lab.aws.cloudformation.function_properties import function_from, invalid, refuse_others
from lab.aws.cloudformation.stack_resources import (
    Deployed,
    MotoType,
    NotModelled,
    Properties,
    ResourceFailed,
    ResourceType,
    StackContext,
    WrittenType,
    physical_name,
    tag_map,
)
from lab.aws.cloudformation.stack_tags import FUNCTION_TAGS
from lab.aws.lambdas import schedules
from lab.aws.lambdas.functions import (
    DEFAULT_MEMORY_MIB,
    DEFAULT_TIMEOUT_S,
    MAXIMUM_AGE_S,
    MAXIMUM_RETRIES,
    Function,
    Lambdas,
    Permission,
    Retries,
)

_SETTINGS: dict[str, Any] = {  # those that change in place and that GetFunction tells, with Lambda's defaults
    "Description": "",
    "Timeout": DEFAULT_TIMEOUT_S,
    "Environment": {"Variables": {}},
    "MemorySize": DEFAULT_MEMORY_MIB,
    "Handler": None,
    "Role": None,
    "VpcConfig": None,
}
_FUNCTION = (
    "Code",
    "Runtime",
    "LoggingConfig",
    "Architectures",
    "ReservedConcurrentExecutions",
    "FunctionName",
    "Tags",
)


class LambdaFunctionType(MotoType):
    """AWS::Lambda::Function: moto keeps the record that GetFunction answers from; what runs is in `Lambdas`."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """The function is read first, because moto puts a ZIP file in the place of its code."""
        refuse_others(type_name, properties, {*_FUNCTION, *_SETTINGS})
        name = physical_name(context, logical_id, type_name, properties)
        function = function_from(context, logical_id, name, properties)
        deployed = super().create(context, logical_id, type_name, properties | {"FunctionName": name})
        with context.cloud.call():
            _put_function(context, deployed, function)
        return deployed

    def delete(self, context: StackContext, deployed: Deployed) -> None:
        """Its policy and its retries go with it; what runs, runs to its end."""
        super().delete(context, deployed)
        with context.cloud.call():
            lambdas, arn = Lambdas.of(context.cloud), deployed.get_cfn_attribute("Arn")
            lambdas.functions.pop(arn, None)
            for statement in [name for name, one in lambdas.permissions.items() if one.function_arn == arn]:
                del lambdas.permissions[statement]


def _put_function(context: StackContext, deployed: Deployed, function: Function) -> None:
    Lambdas.of(context.cloud).functions[function.arn] = function
    deployed.record.reserved_concurrency = function.reserved


def _change_function(context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
    """Code and settings change in place."""
    refuse_others(deployed.cf_resource_type, new, {*_FUNCTION, *_SETTINGS})
    function = function_from(context, deployed.logical_resource_id, deployed.physical_resource_id, new)
    settings = {name: new.get(name, _SETTINGS[name]) for name in changed if name in _SETTINGS and name != "VpcConfig"}
    deployed.record.update_configuration(settings)
    deployed.record._vpc_config = new.get("VpcConfig")
    _put_function(context, deployed, function)


# -------------------------------------------------------------------- permissions and retries
def _put_permission(context: StackContext, deployed: Deployed, properties: Properties) -> None:
    """Ref is the statement's id."""
    function = Lambdas.of(context.cloud).find(properties["FunctionName"])
    if function is None:
        raise ResourceFailed(f"Function not found: {properties['FunctionName']} (ResourceNotFoundException)")
    Lambdas.of(context.cloud).permissions[deployed.physical_resource_id] = Permission(
        function_arn=function.arn,
        action=properties["Action"],
        principal=properties["Principal"],
        source_arn=properties.get("SourceArn", ""),
        source_account=str(properties.get("SourceAccount", "")),
    )


def _remove_permission(context: StackContext, deployed: Deployed) -> None:
    Lambdas.of(context.cloud).permissions.pop(deployed.physical_resource_id, None)


def _put_retries(context: StackContext, deployed: Deployed, properties: Properties) -> None:
    """Of the function itself; versions and aliases are not modelled, nor destinations."""
    refuse_others(
        deployed.cf_resource_type,
        properties,
        {"FunctionName", "Qualifier", "MaximumRetryAttempts", "MaximumEventAgeInSeconds"},
    )
    if properties["Qualifier"] != "$LATEST":
        raise NotModelled(f"the lab does not model Qualifier={properties['Qualifier']} of {deployed.cf_resource_type}")
    function = Lambdas.of(context.cloud).find(properties["FunctionName"])
    if function is None:
        raise ResourceFailed(f"Function not found: {properties['FunctionName']} (ResourceNotFoundException)")
    attempts = int(properties.get("MaximumRetryAttempts", MAXIMUM_RETRIES))
    age_s = int(properties.get("MaximumEventAgeInSeconds", MAXIMUM_AGE_S))
    if not 0 <= attempts <= MAXIMUM_RETRIES or not 60 <= age_s <= MAXIMUM_AGE_S:
        raise invalid(f"0 to 2 attempts and an age of 60 to 21600 s are possible, not {attempts} and {age_s} s")
    Lambdas.of(context.cloud).retries[function.arn] = Retries(attempts, age_s)
    deployed.attributes = {"FunctionArn": lambda: function.arn}


def _remove_retries(context: StackContext, deployed: Deployed) -> None:
    function = Lambdas.of(context.cloud).find(deployed.properties["FunctionName"])
    if function is not None:
        Lambdas.of(context.cloud).retries.pop(function.arn, None)


# -------------------------------------------------------------------- rules
_RULE = {"Name", "Description", "ScheduleExpression", "State", "Tags", "Targets"}


def _put_rule(context: StackContext, deployed: Deployed, properties: Properties) -> None:
    """With a rate in minutes and functions as targets, at most five."""
    refuse_others(deployed.cf_resource_type, properties, _RULE)
    expression, state = properties.get("ScheduleExpression", ""), properties.get("State", "ENABLED")
    try:
        schedules.minutes_of(expression)
    except ValueError:
        raise NotModelled(
            f"the lab models schedules such as rate(1 minute) and rate(5 minutes), not {expression!r}: a rule with "
            "1 minutes or 5 minute is refused on AWS, too"
        ) from None
    if state not in ("ENABLED", "DISABLED"):
        raise NotModelled(f"the lab does not model State={state} of {deployed.cf_resource_type}")
    targets = properties.get("Targets") or []
    if len(targets) > 5:
        raise ResourceFailed("The requested resource exceeds the maximum number allowed. (LimitExceededException)")
    for target in targets:
        refuse_others(f"a target of {deployed.cf_resource_type}", target, {"Id", "Arn", "Input"})
        if not target["Arn"].startswith("arn:aws:lambda:"):
            raise NotModelled(f"the lab models functions as targets of a rule, not {target['Arn']}")
        if "Input" in target:
            _refuse_bad_input(target["Input"])
    events = context.cloud.backend("events")
    if deployed.record is not None:
        deployed.record.remove_targets([one["Id"] for one in list(deployed.record.targets)])
    name = deployed.physical_resource_id
    rule = events.put_rule(
        name, description=properties.get("Description"), scheduled_expression=expression, state=state
    )
    rule.put_targets([dict(target) for target in targets])
    tags = context.tags_of(deployed.logical_resource_id) | tag_map(properties.get("Tags"))
    events.untag_resource(rule.arn, list(tag_map((deployed.properties or {}).get("Tags"))))
    events.tag_resource(rule.arn, tags)
    deployed.record, deployed.attributes = rule, {"Arn": lambda: rule.arn}
    schedules.start(context.cloud, rule)


def _refuse_bad_input(text: str) -> None:
    try:
        json.loads(text)
    except ValueError as error:
        raise ResourceFailed(f"JSON syntax error in input for target: {error} (ValidationException)") from error


def _remove_rule(context: StackContext, deployed: Deployed) -> None:
    """CloudFormation takes its targets off before it deletes it."""
    schedules.stop(context.cloud, deployed.record.arn)
    deployed.record.delete(context.cloud.account_id, context.cloud.region)


FUNCTION_TYPES: dict[str, ResourceType] = {
    "AWS::Lambda::Function": LambdaFunctionType(
        "moto.awslambda.models:LambdaFunction",
        tags=FUNCTION_TAGS,
        changes=("Code", "LoggingConfig", "ReservedConcurrentExecutions", *_SETTINGS),
        change=_change_function,
    ),
    "AWS::Lambda::Permission": WrittenType(_put_permission, _remove_permission, ()),
    "AWS::Lambda::EventInvokeConfig": WrittenType(
        _put_retries, _remove_retries, ("MaximumRetryAttempts", "MaximumEventAgeInSeconds")
    ),
    "AWS::Events::Rule": WrittenType(
        _put_rule, _remove_rule, ("Description", "ScheduleExpression", "State", "Tags", "Targets")
    ),
}
