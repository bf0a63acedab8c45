"""The control endpoint for faults refuses what makes no sense, with the reason; and every preset does what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.aws.faults.endpoint import FAULTS_PATH, answer_faults
from lab.aws.faults.faults import Faults
from lab.aws.faults.presets import PRESETS, preset


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"preset": "apiaway"}, "there is no preset 'apiaway': choose from throttled,"),
        ({"preset": "zone-away"}, "preset 'zone-away' needs zone"),
        ({"preset": "slow", "delay": 3}, "a fault has no field 'delay': choose from name,"),
        ({"preset": "slow", "delay_s": "3"}, "delay_s: '3' is not float"),
        ({"service": "ec2"}, "a fault that does nothing"),
        ({"drop": True, "code": "X"}, "a fault has one outcome"),
        ({"kind": "broken"}, "kind 'broken' is unknown"),
        ({"drop": True, "action": "("}, "is no regular expression"),
        ({"drop": True, "count": 0}, "count 0 must be at least 1"),
        ({"drop": True, "share": 2.0}, "share 2.0 must be above 0"),
        ({"drop": True, "caller": 3}, "caller: 3 is not str"),
        ({"drop": 1}, "drop: 1 is not bool"),
        ([], "the body must be a JSON object"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_with_the_reason(document: Any, reason: str) -> None:
    faults = Faults(lambda: 0.0)
    status, answer = answer_faults(faults, "POST", FAULTS_PATH, json.dumps(document).encode())
    assert status == "400 Bad Request"
    assert reason in answer["error"]
    assert faults.in_force() == []


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_one_fault_with_a_meaning(name: str) -> None:
    needed = {field: "x" for field in PRESETS[name].needs}
    fault = preset(name, **needed)
    assert fault.name == name
    assert PRESETS[name].meaning
    if needed:
        with pytest.raises(ValueError, match=f"preset '{name}' needs"):
            preset(name)
