"""What `pip install .` takes along, and what cdk.json says once and for all."""

import fnmatch
import json
import re
import tarfile
import tomllib
from pathlib import Path

import aws_cdk

ROOT = Path(__file__).resolve().parents[2]
NOT_SHIPPED = {"lab", "tests", "tools", "bench"}


def test_pip_installs_every_package_of_the_product_with_its_data_and_nothing_else():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    shipped = {found.parent for found in ROOT.glob("*/__init__.py") if found.parent.name not in NOT_SHIPPED}
    assert {f"{package.name}*" for package in shipped} == set(tools["packages"]["find"]["include"])
    data = [
        found for top in shipped for found in top.rglob("*") if found.is_file() and found.suffix not in (".py", ".pyc")
    ]
    for found in data:
        patterns = tools["package-data"].get(found.parent.relative_to(ROOT).as_posix(), [])
        assert any(fnmatch.fnmatch(found.name, pattern) for pattern in patterns), f"{found} would be left behind"


def test_every_feature_flag_of_the_pinned_cdk_is_set_so_that_it_asks_for_none():
    (archive,) = (Path(aws_cdk.__file__).parent / "_jsii").glob("aws-cdk-lib@*.tgz")
    with tarfile.open(archive) as library:
        text = library.extractfile("package/recommended-feature-flags.json").read()  # type: ignore[union-attr]
    recommended = json.loads(text)
    said = json.loads((ROOT / "cdk.json").read_text())
    assert recommended.keys() <= said["context"].keys()
    # With these two the template would name its partition, and two statements of the role would be one.
    different = {name for name, value in recommended.items() if said["context"][name] != value}
    assert different == {"@aws-cdk/core:enablePartitionLiterals", "@aws-cdk/aws-iam:minimizePolicies"}
    assert (said["notices"], said["versionReporting"], said["context"]["cli-telemetry"]) == (False, False, False)


def test_mypy_reads_the_modules_of_the_cdk_that_the_stacks_use():
    """What it does not read is Any, and a mistake there is not seen."""
    text = "\n".join(found.read_text() for found in (ROOT / "stacks").rglob("*.py"))
    used = {f"aws_cdk.{name}" for name in re.findall(r"from aws_cdk import (aws_\w+)", text)}
    overrides = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["overrides"]
    read = {name for each in overrides if each.get("follow_imports") == "normal" for name in each["module"]}
    assert used
    assert used == {name for name in read if name.startswith("aws_cdk.aws_")}
