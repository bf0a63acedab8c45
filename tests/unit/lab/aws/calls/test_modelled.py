"""What the lab does not model is refused: no parameter of an operation that it answers is dropped in silence."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import moto
import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from moto.core.utils import get_service_model

import lab.aws
from lab.aws.calls.modelled import TABLES, not_modelled
from lab.aws.calls.request import _MODEL_NAMES, ApiRequest
from lab.aws.core import modelled

CODE = {"cloudwatch": "cloudwatch", "elasticfilesystem": "efs", "lambda": "awslambda"}
# Taken, and without effect here: what SDKs and the CDK send unasked, and S3's, which moto reads from headers.
UNREAD = {"ClientToken", "ClientRequestToken", "DeploymentConfig", "Capabilities"}
UNREAD |= {"ContentLength", "ContentType", "ContentMD5", "ChecksumAlgorithm", "ChecksumCRC32", "ChecksumSHA256"}


def refusal(service: str, operation: str, parameters: dict[str, Any]) -> str:
    found = not_modelled(ApiRequest(access_key="", service=service, operation=operation, parameters=parameters))
    return found.message if found is not None else ""


def paths(shape: Shape | None, seen: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each parameter below a shape, as its path and as a request that has only this one."""
    if isinstance(shape, ListShape):
        yield from ((path, [given]) for path, given in paths(shape.member, seen))
    elif isinstance(shape, StructureShape) and shape.name not in seen:
        for name, member in shape.members.items():
            yield (name,), {name: _any(member)}
            yield from (((name, *path), {name: given}) for path, given in paths(member, (*seen, shape.name)))


def _any(shape: Shape) -> Any:
    return [_any(shape.member)] if isinstance(shape, ListShape) else {"k": "v"} if isinstance(shape, MapShape) else "x"


@cache
def code_of(service: str) -> str:
    """All that may read a parameter of this service: moto's room of it, and the lab's."""
    name = CODE.get(service, service)
    roots = [Path(str(moto.__file__)).parent, Path(str(lab.aws.__file__)).parent]
    files = [file for root in roots for file in (root / name).rglob("*.py") if file.name != "modelled.py"]
    return "\n".join(file.read_text() for file in [*files, roots[0] / "core/responses.py"])


@pytest.mark.parametrize("service", TABLES)
def test_what_is_answered_is_read_by_some_code_and_the_rest_is_refused(service: str) -> None:
    """Every parameter of AWS's model, at any depth: in the table, and then read somewhere; or refused by its name."""
    model = get_service_model(_MODEL_NAMES.get({"cloudwatch": "monitoring"}.get(service, service), service))
    for operation, table in TABLES[service].items():
        wanted, known = dict(listed(table)), set()
        for path, given in paths(model.operation_model(operation).input_shape):
            known.add(path)
            said, here = refusal(service, operation, given), next(unlisted(path, wanted), ())
            if not here:  # all of the path is in the table, or below a parameter that is kept as a whole
                assert not said or "=x" in said, said
                checked = path in wanted and len(wanted[path].values) != 1 and path[-1] not in UNREAD
                is_read = not checked or re.search(rf"\b{path[-1]}\b", code_of(service), re.IGNORECASE)
                assert is_read, f"no code reads {path} of {operation}"
            else:
                assert f"model {'.'.join(here)} of {service}:{operation}, " in said
        assert set(wanted) <= known, f"{operation}: AWS has no such parameters"


def listed(shape: modelled.Shape, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], modelled.Shape]]:
    """What a table says of an operation: each path with its shape."""
    for name, part in shape.parts.items():
        yield (*above, name), part
        yield from listed(part, (*above, name))


def unlisted(path: tuple[str, ...], wanted: dict[tuple[str, ...], modelled.Shape]) -> Iterator[tuple[str, ...]]:
    """The shortest beginning of a path that is not in the table; nothing where the table keeps it all."""
    for length in range(1, len(path) + 1):
        if path[:length] not in wanted:
            yield path[:length]
        elif not wanted[path[:length]].parts:
            return


@pytest.mark.parametrize(
    ("action", "parameters", "named"),
    [
        ("autoscaling:AttachInstances", {}, "autoscaling:AttachInstances"),
        ("autoscaling:DetachInstances", {"InstanceIds": ["i-1"]}, "autoscaling:DetachInstances"),
        ("cloudtrail:LookupEvents", {}, "cloudtrail:LookupEvents"),
        ("autoscaling:CreateAutoScalingGroup", {"MaxInstanceLifetime": 86400}, "MaxInstanceLifetime"),
        ("autoscaling:UpdateAutoScalingGroup", {"HealthCheckType": "ELB"}, "HealthCheckType=ELB"),
        (
            "ec2:RunInstances",
            {"CpuOptions": {"CoreCount": 1}, "InstanceMarketOptions": {"MarketType": "spot"}},
            "CpuOptions, Instance",
        ),
        ("ec2:CreateLaunchTemplate", {"LaunchTemplateData": {"EbsOptimized": True}}, "LaunchTemplateData.EbsOptimized"),
        (
            "route53:ChangeResourceRecordSets",
            {
                "ChangeBatch": {
                    "Changes": [{"ResourceRecordSet": {"Name": "a"}}, {"ResourceRecordSet": {"GeoLocation": 1}}]
                }
            },
            "ChangeBatch.Changes.ResourceRecordSet.GeoLocation",
        ),
    ],
)
def test_a_refusal_names_operation_and_parameter(action: str, parameters: dict[str, Any], named: str) -> None:
    assert f"the lab does not model {named}" in refusal(*action.split(":"), parameters)


def test_what_is_empty_or_unknown_to_every_model_passes() -> None:
    assert refusal("autoscaling", "CreateAutoScalingGroup", {"TargetGroupARNs": [], "MaxInstanceLifetime": None}) == ""
    assert refusal("ec2", "POST /", {}) == ""
