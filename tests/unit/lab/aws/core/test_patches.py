"""Every patched symbol of moto is where it was, and comes back when the rules are lifted."""

from __future__ import annotations

import inspect

import pytest

from lab.aws.core import patches
from lab.aws.core.patches import Patch
from lab.aws.in_process.strict import strict_mock_aws


def test_the_rules_fit_the_installed_moto() -> None:
    assert len(patches.declared()) > 40
    assert patches.verify() == []


def test_a_moto_that_has_changed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    target = "moto.ec2.models.instances:Instance.terminate"
    gone = Patch(
        target="moto.ec2.models.instances:Instance.vanish", expects=("self",), reason="a test", replacement=None
    )
    moved = Patch(target=target, expects=("self", "nicely"), reason="a test", replacement=None)
    monkeypatch.setattr(patches, "_declared", {"gone": gone, "moved": moved})
    findings = patches.verify()
    assert len(findings) == 2
    assert "takes ('<absent>',), expected ('self',)" in findings[0]
    assert "expected ('self', 'nicely')" in findings[1]


def test_a_module_that_is_gone_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Patch(target="moto.nowhere:Thing.do", expects=("self",), reason="a test", replacement=None)
    monkeypatch.setattr(patches, "_declared", {"lost": lost})
    assert "moto.nowhere:Thing.do is gone" in patches.verify()[0]


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
