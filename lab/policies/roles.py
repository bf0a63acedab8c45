"""The roles of a deployed stack with their policies, statement by statement, as IAM holds them.

For: the policy check. Guarantees: logical ids are the template's; inline and attached policies alike; every function
of the template is resolved, because the documents are read back from IAM. Does not: read trust policies.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Role:
    """`statements` by name, `POLICY#NUMBER`; each is a policy document of its own, which grants the same."""

    logical_id: str
    name: str
    statements: Mapping[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Grant:
    role: str  # logical id
    statement: str
    action: str
    resources: tuple[str, ...]


def roles_of(cloudformation: Any, iam: Any, stack_name: str) -> tuple[Role, ...]:
    """Every role that the stack made. Raises ClientError."""
    made = cloudformation.describe_stack_resources(StackName=stack_name)["StackResources"]
    return tuple(
        _role(iam, one["LogicalResourceId"], one["PhysicalResourceId"])
        for one in made
        if one["ResourceType"] == "AWS::IAM::Role"
    )


def _role(iam: Any, logical_id: str, name: str) -> Role:
    documents: dict[str, dict[str, Any]] = {}
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        documents[policy] = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        documents[attached["PolicyName"]] = _document(iam, attached["PolicyArn"])
    return _with_statements(logical_id, name, documents)


def holder_of(iam: Any, name: str, policy_arns: Iterable[str]) -> Role:
    """Somebody who has exactly these managed policies, to be judged like a role of that name. Raises ClientError."""
    return _with_statements(name, name, {arn.rpartition("/")[2]: _document(iam, arn) for arn in policy_arns})


def _document(iam: Any, policy_arn: str) -> dict[str, Any]:
    version = iam.get_policy(PolicyArn=policy_arn)["Policy"]["DefaultVersionId"]
    found: dict[str, Any] = iam.get_policy_version(PolicyArn=policy_arn, VersionId=version)["PolicyVersion"]["Document"]
    return found


def _with_statements(logical_id: str, name: str, documents: Mapping[str, dict[str, Any]]) -> Role:
    statements = {
        f"{policy}#{number}": {"Version": document.get("Version", "2012-10-17"), "Statement": [statement]}
        for policy, document in documents.items()
        for number, statement in enumerate(as_list(document["Statement"]))
    }
    return Role(logical_id=logical_id, name=name, statements=statements)


def grants_of(role: Role) -> Iterator[Grant]:
    """Everything that the role's Allow statements name."""
    for name, document in role.statements.items():
        (statement,) = document["Statement"]
        if statement["Effect"] == "Allow":
            for action in as_list(statement["Action"]):
                resources = tuple(as_list(statement["Resource"]))
                yield Grant(role=role.logical_id, statement=name, action=action, resources=resources)


def as_list(value: Any) -> list[Any]:
    """One or many, as policies and templates write them."""
    return value if isinstance(value, list) else [value]
