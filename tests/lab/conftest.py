"""One run of machines per test file: its directory, the templates of both versions, and the opened stage."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab.base.checkout import SERVICE_FILES
from lab.base.run_directory import run_directory
from lab.hardware import namespace
from lab.image.images import IMAGE_IDS, SERVICE
from lab.play.program import prepare
from lab.play.scenes import synthesized
from lab.play.stage import Stage, open_stage
from lab.play.synthesis import Template
from lab.report.model import Phase


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    if not namespace.inside():
        pytest.fail("needs the lab's namespace: run `python -m lab.hardware.namespace -- python -m pytest tests/lab`")
    with run_directory(Path("/tmp")) as made:
        yield made


@pytest.fixture(scope="module")
def templates(directory: Path) -> dict[str, tuple[Template, Phase]]:
    """Without a watchdog: these tests try what an instance does by itself. tests/lab/test_noticed.py has one."""
    tree = yaml.safe_load((SERVICE_FILES / f"{SERVICE}.yaml").read_text()) | {"watchdog": {"enabled": False}}
    (directory / "services").mkdir()
    (directory / "services" / f"{SERVICE}.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
    return {
        version: synthesized(SERVICE, IMAGE_IDS[version], directory / version, directory / "services")
        for version in ("1", "2")
    }


@pytest.fixture(scope="module")
def stage(directory: Path) -> Iterator[Stage]:
    kernel, images = prepare()
    problems: list[str] = []
    with open_stage(kernel, images, directory / "run", problems) as opened:
        yield opened
    assert problems == []
