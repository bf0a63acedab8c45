"""The image's botocore knows the operations that the agent calls, whole, and no others."""

import ast
import gzip
import json
import shutil
from pathlib import Path

import botocore
import pytest
from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

import bootstrap
from ami.trim_botocore import MODEL, SERVICES, TrimError, names_of, trim, trimmed
from bootstrap.cloud.clients import Clients

AGENT = Path(bootstrap.__file__).parent


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy of what botocore has of these services, and of one that the agent does not use."""
    for name in (*SERVICES, "sqs"):
        shutil.copytree(Path(botocore.__file__).parent / "data" / name, tmp_path / name)
    return tmp_path


def model_of(data: Path, service: str) -> ServiceModel:
    loader = Loader(extra_search_paths=[str(data)], include_default_search_paths=False)
    return ServiceModel(loader.load_service_model(service, "service-2"), service)


def called() -> set[str]:
    """The names of all methods that the agent's room for AWS calls."""
    calls = [
        node
        for file in (AGENT / "cloud").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    ]
    return {node.attr for node in calls}


def walk(shape: Shape | None, seen: set[str]) -> None:
    """Resolve every shape below; botocore raises where one is missing."""
    if shape is None or shape.name in seen:
        return
    seen.add(shape.name)
    members = getattr(shape, "members", {}).values() if shape.type_name == "structure" else ()
    parts = {"list": ("member",), "map": ("key", "value")}.get(shape.type_name, ())
    for below in (*members, *(getattr(shape, part) for part in parts)):
        walk(below, seen)


def test_what_the_agent_calls_is_kept_with_all_its_shapes_and_nothing_else(data: Path) -> None:
    before = {name: {xform_name(one) for one in model_of(data, name).operation_names} for name in SERVICES}
    trim(data, names_of(AGENT))
    assert sorted(entry.name for entry in data.iterdir()) == sorted(SERVICES)
    for name in SERVICES:
        model = model_of(data, name)
        kept = {xform_name(one) for one in model.operation_names}
        assert kept >= before[name] & called(), name
        assert len(kept) < 10, name
        for operation in map(model.operation_model, model.operation_names):
            for shape in (operation.input_shape, operation.output_shape, *operation.error_shapes):
                walk(shape, set())


def test_every_client_that_the_agent_can_make_has_its_model() -> None:
    made = {name for name, value in vars(Clients).items() if callable(value) and not name.startswith("_")}
    assert made == set(SERVICES)


def test_again_it_changes_nothing(data: Path) -> None:
    def content() -> dict[str, bytes]:
        return {str(file.relative_to(data)): file.read_bytes() for file in sorted(data.rglob(MODEL))}

    trim(data, names_of(AGENT))
    once = content()
    trim(data, names_of(AGENT))
    assert content() == once


def test_an_operation_that_nobody_names_is_gone_and_what_it_alone_needs(data: Path) -> None:
    (file,) = (data / "sns").glob(f"*/{MODEL}")
    model = json.loads(gzip.decompress(file.read_bytes()))
    kept = trimmed(model, frozenset({"publish"}))
    assert list(kept["operations"]) == ["Publish"]
    assert "PublishInput" in kept["shapes"]
    assert "CreateTopicInput" in model["shapes"]
    assert "CreateTopicInput" not in kept["shapes"]
    assert "documentation" not in json.dumps(kept)


@pytest.mark.parametrize(
    ("breaks", "says"),
    [
        (lambda data: shutil.rmtree(data / "route53"), r"there is no route53/\*/service-2.json.gz"),
        (lambda _data: None, "the agent names no operation of ec2: take it out of SERVICES"),
    ],
)
def test_what_is_not_as_expected_is_an_error_that_names_it(data: Path, breaks, says: str) -> None:
    breaks(data)
    names = names_of(AGENT) if "route53" in says else frozenset()
    with pytest.raises(TrimError, match=says):
        trim(data, names)
