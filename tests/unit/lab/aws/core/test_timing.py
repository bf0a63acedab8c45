"""Delays: fixed ones are what they say, drawn ones repeat with their seed and keep to their distribution."""

from dataclasses import fields, replace
from statistics import median

import pytest

from lab.aws.core.timing import AWS, FAST, Clockmaker, Delay, Spread


def test_a_fixed_delay_is_itself() -> None:
    assert Clockmaker(FAST, 1).draw("attach_s") == FAST.attach_s


DRAWN = [field.name for field in fields(AWS) if isinstance(getattr(AWS, field.name), Spread)]


def test_what_the_aws_profile_draws() -> None:
    """Every asynchronous change; what is left is deadlines, polls and what AWS does on a schedule."""
    assert set(DRAWN) == {
        "pending_s", "release_s", "attach_s", "detach_s", "insync_s", "impaired_after_s", "file_system_s",
        "mount_target_s", "metadata_lag_s",
    }  # fmt: skip


@pytest.mark.parametrize("name", DRAWN)
def test_the_same_seed_draws_the_same_and_another_one_does_not(name: str) -> None:
    def drawn(seed: int) -> list[float]:
        clockmaker = Clockmaker(AWS, seed)
        return [clockmaker.draw(name) for _ in range(5)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert len(set(drawn(1))) == 5


def test_one_delay_does_not_disturb_the_draws_of_another() -> None:
    alone, mixed = Clockmaker(AWS, 3), Clockmaker(AWS, 3)
    expected = [alone.draw("attach_s") for _ in range(3)]
    found = []
    for _ in range(3):
        mixed.draw("pending_s")
        found.append(mixed.draw("attach_s"))
    assert found == expected


def test_a_spread_has_the_median_and_the_tail_that_it_names() -> None:
    spread = Spread(8.0, 200.0, least_s=2.0)
    clockmaker = Clockmaker(replace(AWS, detach_s=spread), 1)
    drawn = sorted(clockmaker.draw("detach_s") for _ in range(20_000))
    assert drawn[0] >= 2.0
    assert median(drawn) == pytest.approx(8.0, rel=0.05)
    assert drawn[int(len(drawn) * 0.99)] == pytest.approx(200.0, rel=0.15)


@pytest.mark.parametrize(("middle", "p99", "least"), [(5.0, 5.0, 0.0), (5.0, 9.0, 5.0), (5.0, 9.0, -1.0)])
def test_a_spread_that_does_not_grow_is_refused(middle: float, p99: float, least: float) -> None:
    with pytest.raises(ValueError, match="must grow"):
        Spread(middle, p99, least)


def low(delay: Delay) -> float:
    """The median of a drawn delay."""
    return delay.median_s if isinstance(delay, Spread) else delay


def high(delay: Delay) -> float:
    """What one in a hundred exceeds."""
    return delay.p99_s if isinstance(delay, Spread) else delay


@pytest.mark.parametrize(
    ("found", "least", "most"),
    [
        pytest.param(low(AWS.pending_s), 16, 18, id="pending to running, brevdev/ec2-coldboot-research"),
        pytest.param(high(AWS.pending_s), 21, 60, id="stop and start 21.2 s mean, brevdev/ec2-coldboot-research"),
        pytest.param(low(AWS.attach_s), 2, 5, id="an attach takes a few seconds"),
        pytest.param(high(AWS.detach_s), 200, 600, id="a detach of more than 200 s, ansible amazon.aws PR#501"),
        pytest.param(high(AWS.release_s), 60, 120, id="a minute or two, int128/terraform-aws-nat-instance#57"),
        pytest.param(high(AWS.insync_s), 30, 60, id="INSYNC generally within 60 s"),
        pytest.param(low(AWS.impaired_after_s), 60, 120, id="status checks every minute"),
        pytest.param(AWS.impaired_replace_s, 120, 300, id="the group waits a few minutes"),
        pytest.param(high(AWS.mount_target_s), 90, 300, id="90 s, and 5 min seen, Cloud-42 PR#12"),
        pytest.param(high(AWS.metadata_lag_s), 60, 180, id="up to 60 tries; 3 min seen, amazon-ecs-agent#1520"),
        pytest.param(AWS.terminated_visible_s, 3600, 3600, id="described for about an hour, EC2 user guide"),
        pytest.param(AWS.route53_rate_per_s, 5, 10, id="5, and since 2026 10 per second, Route 53 developer guide"),
    ],
)
def test_the_aws_profile_keeps_to_what_is_published(found: float, least: float, most: float) -> None:
    assert least <= found <= most


def test_the_fast_profile_is_faster_in_everything_that_it_waits_for() -> None:
    waits = [field.name for field in fields(AWS) if field.name.endswith("_s") and field.name != "route53_rate_per_s"]
    assert all(high(getattr(FAST, name)) <= high(getattr(AWS, name)) for name in waits)
    assert all(high(getattr(FAST, name)) <= 2.0 for name in DRAWN)
