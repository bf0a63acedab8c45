"""A command that a document shows exists, with its options; a link leads somewhere; no permission is missing."""

import importlib.util
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import botocore.session
import pytest
from botocore import xform_name
from typer.testing import CliRunner

from rollout.cli import app
from tests.kit.shell_blocks import DOCUMENTS, Command, commands, shown, unfenced
from tests.kit.surroundings import REPOSITORY

CDK_VERBS = {"bootstrap", "deploy", "destroy", "diff", "synth"}
AWS_GLOBAL = {"--query", "--output", "--region", "--max-items"}  # options of the CLI itself
UNCHECKED = {  # by first word: why nothing here can say whether the rest is right
    "curl": "the lab's fault endpoint has tests of its own (tests/contract)",
    "mount": "of the helper instance of a restore",
    "umount": "of the helper instance of a restore",
    "mv": "of the helper instance of a restore",
}


def text_of(path: str) -> str:
    return (REPOSITORY / path).read_text(encoding="utf-8")


def wrong_make(words: tuple[str, ...]) -> list[str]:
    makefile = text_of("Makefile")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    variables = set(re.findall(r"^(?:[a-z-]+: )?([A-Z]+) \?=", makefile, re.MULTILINE))
    return [word for word in words if word.partition("=")[0] not in (variables if "=" in word else targets)]


def wrong_soloist(words: tuple[str, ...]) -> list[str]:
    """The parser reads every word before it obeys --help."""
    said = CliRunner().invoke(app, [*words, "--help"])
    return [said.output] if said.exit_code else []


def wrong_cdk(words: tuple[str, ...]) -> list[str]:
    known = set(re.findall(r'try_get_context\("(\w+)"\)', text_of("app.py")))
    given = [value.partition("=")[0] for option, value in itertools.pairwise(words) if option == "-c"]
    return [word for word in words[:1] if word not in CDK_VERBS] + [name for name in given if name not in known]


def wrong_python(words: tuple[str, ...]) -> list[str]:
    """`-m MODULE ARGUMENTS`, also once more after `--`: the module is there, and its text has each long option."""
    if words[:1] != ("-m",):
        return [" ".join(words)]
    own, _, inner = " ".join(words[1:]).partition(" -- ")
    module, *arguments = own.split(" ")
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        return [module]
    main = Path(found.origin).with_name("__main__.py") if found.submodule_search_locations else Path(found.origin)
    options = [word for word in arguments if word.startswith("--") and module != "pytest"]
    missing = [word for word in options if f'"{word}"' not in main.read_text(encoding="utf-8")]
    missing += [word for word in arguments if word.startswith("tests/") and not (REPOSITORY / word).exists()]
    return missing + (wrong_python(tuple(inner.split(" "))[1:]) if inner else [])


def wrong_script(words: tuple[str, ...]) -> list[str]:
    if not (REPOSITORY / words[0]).exists():
        return [words[0]]
    return [word for word in words[1:] if word.startswith("--") and word not in text_of(words[0])]


def wrong_aws(words: tuple[str, ...]) -> list[str]:
    """The operation and its options, by botocore's service models, as the AWS CLI names them."""
    service = botocore.session.get_session().get_service_model(words[0])
    operations = {xform_name(name, "-"): service.operation_model(name) for name in service.operation_names}
    if words[1] not in operations:
        return [words[1]]
    shape = operations[words[1]].input_shape
    members = {f"--{xform_name(name, '-')}" for name in (shape.members if shape else ())}
    return [word for word in words[2:] if word.startswith("--") and word not in members | AWS_GLOBAL]


CHECKS: dict[str, Callable[[tuple[str, ...]], list[str]]] = {
    "make": wrong_make,
    "./soloist": wrong_soloist,
    "./cdk": wrong_cdk,
    ".venv/bin/python": wrong_python,
    "sh": wrong_script,
    "aws": wrong_aws,
}


def wrong(command: Command) -> list[str]:
    """The parts of a command that do not exist."""
    first, *rest = command.words
    if first in UNCHECKED:
        return []
    return CHECKS[first](tuple(rest)) if first in CHECKS else [first]


@pytest.mark.parametrize("command", shown(), ids=lambda command: command.where)
def test_a_command_of_the_documents_exists_with_its_options(command: Command) -> None:
    assert wrong(command) == []


def test_the_documents_show_commands_of_every_kind_and_each_in_a_block() -> None:
    assert {command.words[0] for command in shown()} == set(CHECKS) | set(UNCHECKED)
    assert [line for path in DOCUMENTS for line in unfenced(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("make demos", "demos"),
        ("make chaos RUN=1", "RUN=1"),
        ("./soloist defrost x", "defrost"),
        ("./soloist promote x --now", "No such option"),
        ("./cdk ship", "ship"),
        ("./cdk deploy -c services=x", "services"),
        (".venv/bin/python -m services.nothing", "services.nothing"),
        (".venv/bin/python -m lab.simulation --run 1", "--run"),
        ("sh ami/bake.sh", "ami/bake.sh"),
        ("sh ami/install.sh --force", "--force"),
        ("aws efs remove-file-system", "remove-file-system"),
        ("aws efs delete-file-system --id fs-1", "--id"),
        ("rm -rf build", "rm"),
    ],
)
def test_a_command_that_does_not_exist_is_seen(line: str, seen: str) -> None:
    (command,) = commands(f"1. so:\n\n   ```sh\n   {line}  # why\n   ```\n", "here")
    assert [part for part in wrong(command) if seen in part]
    assert unfenced(f"Text:\n\n    {line} x\n") == [] if line.startswith("rm") else [f"{line} x"]


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_link_to_a_file_leads_there(path: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        target, _, anchor = unquote(link).partition("#")
        file = path.parent / target if target else path
        if "://" not in link and (not file.exists() or (anchor and anchor not in anchors(file))):
            broken.append(link)
    assert broken == []


def test_every_call_of_the_operators_command_is_among_the_permissions() -> None:
    code = "\n".join(file.read_text(encoding="utf-8") for file in (REPOSITORY / "rollout").glob("*.py"))
    calls = re.findall(
        r'\b(ec2|autoscaling|ssm|cloudformation)\.(?:get_paginator\("(\w+)"\)|(?!exceptions|get_paginator)(\w+)\()',
        code,
    )
    assert len(calls) >= 9
    needed = {f"{service}:{(paged or called).title().replace('_', '')}" for service, paged, called in calls}
    named = text_of("docs/permissions.md") + text_of("stacks/operator_policies.py")
    assert {action for action in needed if f"`{action}`" not in named and f'"{action}"' not in named} == set()
