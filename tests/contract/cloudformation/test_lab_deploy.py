"""`make lab-deploy`: what the first deployment makes, that the second changes nothing, and that a change would show."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.aws import FAST, ControlPlane, NoMachines
from lab.base.checkout import CHECKOUT
from lab.play.synthesis import Template
from lab.redeployment import deploy_noting
from tests.contract.deployed_account import ONE
from tests.kit.lab_clients import client


def test_make_lab_deploy_twice_changes_nothing() -> None:
    # -o: everything is installed where this test runs.
    command = ["make", "--no-print-directory", "-o", "prepare", "lab-deploy"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=240, check=False)
    lines = done.stdout.splitlines()
    assert (done.returncode, lines[-1]) == (0, "second deployment: no changes"), done.stdout + done.stderr
    made = [line for line in lines if line.startswith("created ")]
    assert f"first deployment: created {len(made)} resources; template sha256" in lines[-2]
    assert any("AWS::AutoScaling::AutoScalingGroup" in line and line.endswith("soloist-influxdb") for line in made)
    kinds = [line.split()[1] for line in made]
    after = kinds.index("AWS::CloudWatch::Alarm")
    assert after > kinds.index("AWS::AutoScaling::AutoScalingGroup"), "what watches is deployed after the service"


def test_a_service_that_is_not_there_is_one_clear_line() -> None:
    command = ["make", "--no-print-directory", "-o", "prepare", "lab-deploy", "SERVICE=nothing"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode != 0
    assert "lab-deploy: cdk synth of nothing failed" in done.stderr
    assert "Traceback" not in done.stderr


def changed(template: Template, directory: Path, changes: dict[str, Any]) -> Template:
    """The template with properties of its launch template's data changed."""
    document = json.loads(template.path.read_text())
    (launch_template,) = [one for one in document["Resources"].values() if one["Type"] == "AWS::EC2::LaunchTemplate"]
    launch_template["Properties"]["LaunchTemplateData"] |= changes
    path = directory / "changed.template.json"
    path.write_text(json.dumps(document))
    return Template(stack_name=template.stack_name, path=path, sha256="")


def test_what_a_deployment_changes_is_said_by_resource(synthesized: Callable[[str], Template], tmp_path: Path) -> None:
    template = synthesized(ONE)
    with ControlPlane(NoMachines(), FAST, address="127.0.0.1", port=0) as plane:
        plane.register_image(ONE, "one")
        cloudformation = client(plane, "cloudformation")
        deploy_noting(plane, cloudformation, template)
        assert deploy_noting(plane, cloudformation, template).sentence == "no changes"
        update = deploy_noting(plane, cloudformation, changed(template, tmp_path, {"InstanceType": "t3.large"}))
        assert (update.outcome, update.sentence) == ("updated", "updated 2 resources")
        # A new version is staged, and AZRebalance suspended again (stacks/instance_group.py says why); no group.
        first, second = update.lines()
        assert "AWS::EC2::LaunchTemplate" in first
        assert "Custom::SuspendedProcesses" in second
        assert plane.errors == []


def test_the_demo_of_another_service_is_refused_and_not_played_with_influxdb() -> None:
    for given, code in (("SERVICE=opscenter", 2), ("SERVICE=influxdb", 0), ("SERVICE=", 0)):
        command = ["make", "--no-print-directory", "--dry-run", "-o", "prepare", "demo", given]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == code, given
        assert ("the demo plays influxdb, not opscenter: make lab-deploy" in done.stderr) is bool(code)
