"""What `soloist status` and `promote` say of an image that is deprecated, or soon will be."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from rollout.cli import app
from rollout.fit import Image, deprecation_of
from tests.kit.deployed_group import NEW, OLD, Clients, report

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def image(days: float | None) -> Image:
    at = None if days is None else NOW + timedelta(days=days)
    return Image(id="ami-1", architecture="x86_64", state="available", deprecated_at=at)


@pytest.mark.parametrize(
    ("days", "within_days", "said"),
    [
        (None, 30, ""),
        (40, 30, ""),
        (40, 365, "image ami-1 is deprecated on 2027-01-09, in 40 days"),
        (30, 30, "image ami-1 is deprecated on 2026-12-30, in 30 days"),
        (0.1, 0, "image ami-1 is deprecated on 2026-11-30, in 0 days"),
        (-1, 0, "image ami-1 is deprecated since 2026-11-29; its owner still launches it. Bake a new one"),
    ],
)
def test_the_date_is_said_when_it_is_near_or_past(days: float | None, within_days: int, said: str) -> None:
    assert deprecation_of(image(days), NOW, within_days) == said
    assert deprecation_of(None, NOW) == ""


def run(*arguments: str) -> Any:
    answer = CliRunner().invoke(app, list(arguments))
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def in_days(clients: Clients, image_id: str, days: int) -> None:
    now = datetime.fromtimestamp(clients.aws.cloud.now(), UTC)
    clients.ec2.enable_image_deprecation(ImageId=image_id, DeprecateAt=now + timedelta(days=days))


def test_status_shows_it_of_what_is_promoted_and_of_what_runs(clients: Clients) -> None:
    assert "deprecated" not in run("status", "demo")
    report(clients, phase="ready", instance_id="i-9", image_id=NEW, sentence="demo serves")
    for image_id, days in ((OLD, 20), (NEW, 400)):
        in_days(clients, image_id, days)
    said = run("status", "demo")
    assert f"image {OLD} is deprecated on " in said
    assert f"image {NEW} is deprecated on " in said


def test_status_goes_on_where_an_image_is_gone(clients: Clients) -> None:
    clients.ec2.deregister_image(ImageId=OLD)
    assert "state: new" in run("status", "demo")


def test_promote_says_it_where_it_is_near_and_promotes_all_the_same(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.fromtimestamp(clients.aws.cloud.now(), UTC)
    monkeypatch.setattr("rollout.cli.datetime", SimpleNamespace(now=lambda _zone: now))
    in_days(clients, NEW, 700)
    assert "deprecated" not in run("promote", "demo", "--dry-run")
    in_days(clients, NEW, 20)
    said = run("promote", "demo", "--no-replace")
    assert f"note: image {NEW} is deprecated on " in said
    assert "group version 1 -> 2" in said
