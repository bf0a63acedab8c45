"""`soloist zones`: only zones that this account may use and that offer the instance type, written once."""

from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from typer.testing import CliRunner

from rollout import cli
from rollout.errors import PreconditionError
from rollout.zones import look_up_zones, with_zones, write_zones
from services.load import load_service

SAMPLE = Path(__file__).parents[3] / "services" / "opscenter.yaml"
LINE = "zones: [us-east-1a, us-east-1b, us-east-1c]"
FILTERS = {
    "zone-type": ["availability-zone"],
    "state": ["available"],
    "opt-in-status": ["opt-in-not-required", "opted-in"],
}


def squeezed(text: str) -> str:
    """Without white space: the terminal wraps lines anywhere."""
    return "".join(text.split())


def account(zones: str, *offering: str, types: tuple[str, ...] = ("m7i.large",)) -> Any:
    """EC2 of an account with zones of these letters; each of `offering` is a page of letters that have one of types."""
    ec2 = boto3.client("ec2", "us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    stub = Stubber(ec2)
    stub.add_response(
        "describe_availability_zones",
        {"AvailabilityZones": [{"ZoneName": f"us-east-1{letter}"} for letter in zones]},
        {"Filters": [{"Name": name, "Values": values} for name, values in FILTERS.items()]},
    )
    asked: dict[str, Any] = {
        "LocationType": "availability-zone",
        "Filters": [{"Name": "instance-type", "Values": list(types)}],
    }
    for number, page in enumerate(offering):
        token = {"NextToken": str(number + 1)} if number + 1 < len(offering) else {}
        offers = [{"Location": f"us-east-1{letter}"} for letter in page]
        stub.add_response("describe_instance_type_offerings", {"InstanceTypeOfferings": offers, **token}, asked)
        asked = {**asked, "NextToken": str(number + 1)}
    stub.activate()
    return ec2


@pytest.mark.parametrize(
    ("zones", "pages", "chosen"),
    [("abcdef", ["fedcba"], "abc"), ("acd", ["dbe", "fc"], "cd"), ("ba", ["", "abc"], "ab")],
)
def test_zones_are_those_that_are_usable_and_have_the_type(zones: str, pages: list[str], chosen: str) -> None:
    found = look_up_zones(account(zones, *pages), "us-east-1", ["m7i.large"])
    assert found == [f"us-east-1{letter}" for letter in chosen]


def test_a_zone_that_lacks_one_of_the_types_is_left_out() -> None:
    types = ("m7i.large", "m6i.large")
    assert look_up_zones(account("abc", "abc", "ac", types=types), "us-east-1", types) == ["us-east-1a", "us-east-1c"]


@pytest.mark.parametrize(("page", "words"), [("", "in no zone"), ("c", "in us-east-1c only")])
def test_one_zone_is_too_few(page: str, words: str) -> None:
    with pytest.raises(PreconditionError, match=words):
        look_up_zones(account("abc", page), "us-east-1", ["m7i.large"])


def test_the_file_gains_one_line_and_is_left_alone_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.yaml"
    before = [line for line in SAMPLE.read_text().splitlines() if not line.startswith("zones:")]
    file.write_text("\n".join(before))

    class AwsClients:
        def __init__(self, region: str) -> None:
            assert region == "us-east-1"
            self.ec2 = account("abc", "abc")

    monkeypatch.setattr(cli, "AwsClients", AwsClients)
    answers = []
    for option in (["--dry-run"], [], []):
        answers.append(CliRunner().invoke(cli.app, ["zones", str(file), *option]))
    assert [answer.exit_code for answer in answers] == [0, 0, 0]
    assert [squeezed(LINE) in squeezed(answer.stdout) for answer in answers] == [True, True, False]
    assert "namesitszonesalready" in squeezed(answers[2].stdout)
    assert [line for line in file.read_text().splitlines() if line != LINE] == before
    assert load_service(file).zones == ("us-east-1a", "us-east-1b", "us-east-1c")


@pytest.mark.parametrize(
    ("wrong", "words"), [("zones: []", "has a line `zones:`"), ("zones: [us-west-2a]", "has a line `zones:`")]
)
def test_a_line_that_cannot_be_used_is_not_joined_by_a_second_one(tmp_path: Path, wrong: str, words: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"region: us-east-1\n{wrong}\n")
    with pytest.raises(PreconditionError, match=words):
        write_zones(file, ["us-east-1a", "us-east-1b"])
    assert file.read_text() == f"region: us-east-1\n{wrong}\n"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_line_ends_stay_those_of_the_file(end: str) -> None:
    text = f"name: x{end}region: us-east-1 # home{end}dns: 1{end}"
    assert with_zones(text, ["a", "b"]) == f"name: x{end}zones: [a, b]{end}region: us-east-1 # home{end}dns: 1{end}"


def test_a_file_with_other_mistakes_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: Mine\nregion: us-east-1\n")
    answer = CliRunner().invoke(cli.app, ["zones", str(file)])
    assert answer.exit_code == 3
    assert 'name (is "Mine")' in answer.stderr
    assert file.read_text() == "name: Mine\nregion: us-east-1\n"
