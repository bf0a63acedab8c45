"""A custom resource that is run by a Lambda function whose source is part of the template.

For: what CloudFormation has no resource for. Guarantees: no file assets; the function may write its own log and do what
`statements` allow, nothing else; CloudFormation stops waiting soon after the function's own time-out.
All these resources share one source, stacks/custom_resource_handler.py; each has its own function and role, and of the
source what it needs.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.inline_source import shipped

HANDLER_SOURCE = Path(__file__).with_name("custom_resource_handler.py")
FUNCTION_TIMEOUT_S = 300  # longer than every call of the handler with all its retries
ANSWER_ALLOWANCE_S = 60


@cache
def inline_source(resource_type: str) -> str:
    """The handler as far as this type needs it."""
    tree = ast.parse(HANDLER_SOURCE.read_text(encoding="utf-8"))
    functions = {one.name: one for one in tree.body if isinstance(one, ast.FunctionDef)}
    (table,) = (one.value for one in tree.body if isinstance(one, ast.Assign) and isinstance(one.value, ast.Dict))
    kept = {ast.literal_eval(key): value for key, value in zip(table.keys, table.values, strict=True) if key}
    table.keys, table.values = [ast.Constant(resource_type)], [kept[resource_type]]
    needed, found = {"on_event"}, {"on_event", *_names(table)}
    while found:
        needed |= found
        found = {name for one in needed for name in _names(functions[one]) if name in functions} - needed
    tree.body = [one for one in tree.body if not isinstance(one, ast.FunctionDef) or one.name in needed]
    return shipped(tree)


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


class InlineResource(Construct):
    """The custom resource `resource_type` with `properties`, allowed `statements`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        resource_type: str,
        properties: dict[str, Any],
        statements: list[iam.PolicyStatement],
    ) -> None:
        super().__init__(scope, construct_id)
        log = logs.LogGroup(
            self, "Log", retention=logs.RetentionDays.ONE_MONTH, removal_policy=cdk.RemovalPolicy.DESTROY
        )
        write_log = iam.PolicyStatement(
            actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log.log_group_arn]
        )
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"Work": iam.PolicyDocument(statements=[*statements, write_log])},
        )
        function = lambda_.CfnFunction(
            self,
            "Function",
            runtime="python3.14",
            handler="index.on_event",
            code=lambda_.CfnFunction.CodeProperty(zip_file=inline_source(resource_type)),
            role=self.role.role_arn,
            logging_config=lambda_.CfnFunction.LoggingConfigProperty(log_group=log.log_group_name),
            timeout=FUNCTION_TIMEOUT_S,
            description=f"{cdk.Stack.of(self).stack_name}: {resource_type}",
        )
        cdk.CustomResource(
            self,
            "Resource",
            service_token=function.attr_arn,
            resource_type=resource_type,
            properties=properties,
            service_timeout=cdk.Duration.seconds(FUNCTION_TIMEOUT_S + ANSWER_ALLOWANCE_S),
        )
