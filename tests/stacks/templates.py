"""Synthesized templates, as tests look into them, and their user data as CloudFormation would resolve it."""

from collections.abc import Iterator
from typing import Any

Tree = dict[str, Any]
ATTRIBUTES = {"IpAddress": "10.0.0.200"}
PSEUDO = {"AWS::URLSuffix": "amazonaws.com", "AWS::Partition": "aws", "AWS::AccountId": "123456789012"}


def user_data(template):
    """The user data of the launch template."""
    return resolve(template.properties("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["UserData"], template)


def resolve(value, template):
    """Stands in for CloudFormation's Ref, Fn::GetAtt, Fn::Select, Fn::Join and Fn::Base64 (the text itself)."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Ref":
        return PSEUDO.get(argument) or f"{template.resources[argument]['Type']}|{argument}"
    if function == "Fn::GetAtt":
        return ATTRIBUTES[argument[1]]
    if function == "Fn::Select":
        number, whole = argument
        return f"{resolve(whole, template)}[{number}]"
    if function == "Fn::Base64":
        return resolve(argument, template)
    assert function == "Fn::Join", function
    separator, parts = argument
    return separator.join(resolve(part, template) for part in parts)


def _referred(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "Ref" in value:
            yield value["Ref"]
        if "Fn::GetAtt" in value:
            yield value["Fn::GetAtt"][0]
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from _referred(inner)


class Template:
    """A synthesized template with the few look-ups the assertions need."""

    def __init__(self, body: Tree) -> None:
        self.body = body
        self.resources: Tree = body["Resources"]

    def before(self, name: str) -> set[str]:
        """What CloudFormation makes before the resource `name`: all that it refers to or depends on, at any remove."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            resource = self.resources[waiting.pop()]
            named = {resource["DependsOn"]} if isinstance(resource.get("DependsOn"), str) else set()
            named |= set(resource.get("DependsOn") or []) if not named else set()
            named |= set(_referred(resource.get("Properties", {}))) & set(self.resources)
            waiting.extend(named - found)
            found |= named
        return found

    def of_type(self, kind: str) -> dict[str, Tree]:
        return {name: each for name, each in self.resources.items() if each["Type"] == kind}

    def one(self, kind: str) -> Tree:
        (resource,) = self.of_type(kind).values()
        return resource

    def properties(self, kind: str) -> Tree:
        properties: Tree = self.one(kind)["Properties"]
        return properties
