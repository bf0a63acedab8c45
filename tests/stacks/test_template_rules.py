"""cfn-lint has nothing to say about any variant, and does say something about a broken one."""

from __future__ import annotations

import copy
import json

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs


def findings(body):
    return [str(match) for match in lint(json.dumps(body), config=ManualArgs(regions=["us-east-1"]))]


def test_every_variant_is_clean(any_template):
    assert findings(any_template.body) == []


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("AWS::AutoScaling::AutoScalingGroup", "MaxSiz", "1"),
        ("AWS::EC2::SecurityGroup", "GroupDescription", "the service's ports"),
    ],
)
def test_a_mistake_would_be_seen(template, kind, key, value):
    body = copy.deepcopy(template.body)
    name = next(name for name, each in body["Resources"].items() if each["Type"] == kind)
    body["Resources"][name]["Properties"][key] = value
    assert findings(body)
