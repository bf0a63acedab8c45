"""The scenes of the demo: deploy, first boot, crash, upgrade, rollback.

For: `lab.demo` and tests/lab. Guarantees: each scene uses the product's own means (the synthesized template, the
operator's promotion) and is measured from outside. Does not: decide whether the run was good.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bootstrap.base.names import stack_name
from lab.play.deployment import deploy
from lab.play.stage import Stage
from lab.play.standing import Standing
from lab.play.synthesis import Template, synthesize
from lab.report.model import Phase, Scene
from rollout.observe import Observed, observe
from rollout.promote import execute, plan_promotion, previous_version


class OperatorClients:
    """The boto3 clients of the operator, for `rollout`."""

    def __init__(self, stage: Stage) -> None:
        self.ec2: Any = stage.lab.boto3_client("ec2")
        self.autoscaling: Any = stage.lab.boto3_client("autoscaling")
        self.ssm: Any = stage.lab.boto3_client("ssm")
        self.cloudformation: Any = stage.lab.boto3_client("cloudformation")


def synthesized(service: str, image_id: str, out: Path, services_dir: Path | None = None) -> tuple[Template, Phase]:
    """The template for `image_id`, and how long `cdk synth` took. `services_dir`: as `synthesize` takes it."""
    began_s = time.monotonic()
    template = synthesize(service, image_id, out, services_dir)
    return template, Phase(name="synthesize", start_s=0.0, duration_s=time.monotonic() - began_s, outcome="ok")


def deploy_scene(stage: Stage, template: Template, synth: Phase) -> Scene:
    stage.scene = "deploy"
    start_s = stage.now_s() - synth.duration_s
    stage.say(f"deploying {template.path.name}, {template.path.stat().st_size:,} bytes, sha256 {template.sha256[:12]}")
    began_s = stage.now_s()
    deploy(stage.lab.boto3_client("cloudformation"), template)
    end_s = stage.now_s()
    phases = (synth, Phase(name="create-stack", start_s=synth.duration_s, duration_s=end_s - began_s, outcome="ok"))
    return Scene(
        name="deploy",
        happened=f"stack {template.stack_name} deployed from the synthesized template",
        healed=True,
        outage_s=0.0,
        start_s=start_s,
        event_s=start_s,
        end_s=end_s,
        zone_to="",
        ami_to="",
        phases=phases,
    )


def first_boot_scene(stage: Stage) -> Scene:
    """The group launches its first instance; the client begins to write."""

    def act(_before: Standing) -> None:
        stage.lab.client.wait_until_reachable(120.0)
        stage.lab.start_writers(stage.record_name)

    return stage.play("first boot", lambda _before: "the group launched its first instance", act)


def crash_scene(stage: Stage) -> Scene:
    """The machine loses power; the group prefers other zones for the replacement."""

    def act(before: Standing) -> None:
        group = stage.lab.control_plane.group(stack_name(stage.service))
        zones = group.zones if group else ()
        stage.lab.control_plane.prefer_zones([zone for zone in zones if zone != before.zone])
        stage.lab.crash(before.instance_id)

    return stage.play("crash", lambda before: f"the machine was killed in {before.zone}", act)


def upgrade_scene(stage: Stage, template: Template, image_id: str) -> Scene:
    """Stage a version by deploying it, then promote it, which ends the instance."""

    def act(_before: Standing) -> None:
        deploy(stage.lab.boto3_client("cloudformation"), template)
        stage.say("the new version is staged; until it is promoted, the instance and its replacements keep the old one")
        promote(stage, lambda _clients, _seen: None)

    version = stage.image_versions.get(image_id, image_id)
    return stage.play("upgrade", lambda _before: f"version {version} was staged and promoted", act, image_id=image_id)


def rollback_scene(stage: Stage, image_id: str) -> Scene:
    """Promote the previous version, which ends the instance."""
    version = stage.image_versions.get(image_id, image_id)
    return stage.play(
        "rollback",
        lambda _before: f"version {version} was promoted again",
        lambda _before: promote(stage, previous_version),
        image_id=image_id,
    )


def promote(stage: Stage, choose: Callable[[OperatorClients, Observed], int | None]) -> None:
    """Do what `soloist promote` and `soloist rollback` do, without their wait."""
    clients = OperatorClients(stage)
    seen = observe(clients, stage.service)
    plan = plan_promotion(seen, choose(clients, seen))
    execute(clients, seen, plan, stage.say)
