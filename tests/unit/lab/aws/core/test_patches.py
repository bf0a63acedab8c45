"""Every patched symbol of moto is where it was, and comes back when the rules are lifted."""

import inspect

import pytest

from lab.aws.core import patches
from lab.aws.core.patches import Patch
from lab.aws.in_process.strict import strict_mock_aws


def test_the_rules_fit_the_installed_moto() -> None:
    assert len(patches.declared()) > 40
    assert patches.verify() == []


def test_a_moto_that_has_changed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def declared(target: str, *expects: str) -> Patch:
        return Patch(target=target, expects=", ".join(("self", *expects)), reason="a test", replacement=None)

    instance = "moto.ec2.models.instances:Instance"
    wrong = {
        "gone": declared(f"{instance}.vanish"),
        "moved": declared(f"{instance}.terminate", "nicely"),
        "lost": declared("moto.nowhere:Do.it"),
    }
    monkeypatch.setattr(patches, "_declared", wrong)
    gone, moved, lost = patches.verify()
    assert "takes (<absent>), expected (self)" in gone
    assert "expected (self, nicely)" in moved
    assert "moto.nowhere:Do.it is gone" in lost


def test_nothing_stays_patched() -> None:
    from moto.autoscaling.responses import AutoScalingResponse
    from moto.ec2.models.instances import Instance

    before = inspect.getattr_static(Instance, "terminate")
    with strict_mock_aws():
        assert inspect.getattr_static(Instance, "terminate") is not before
        assert hasattr(AutoScalingResponse, "complete_lifecycle_action")
    assert inspect.getattr_static(Instance, "terminate") is before
    assert not hasattr(AutoScalingResponse, "complete_lifecycle_action")


def test_a_second_cloud_in_the_same_process_is_refused() -> None:
    with strict_mock_aws(), pytest.raises(RuntimeError, match="already running"), strict_mock_aws():
        pass
