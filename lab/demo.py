"""`make demo`: a real service, deployed by the real template, crashes, heals, is upgraded and rolled back.

For: anyone with a Debian 12 machine and no AWS account. Guarantees: exit code 0 only if every scene healed, the name
points at the right network interface, no acknowledged write was lost and the deployed template is the synthesized one;
every machine and server is ended. Does not: prove what AWS does; docs/lab-fidelity.md says how far the lab follows it.
"""

import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from lab.base.checkout import BUILD, CHECKOUT
from lab.base.output import output
from lab.base.run_directory import run_directory
from lab.hardware.probe import Kernel
from lab.image.images import IMAGE_IDS, SERVICE, Images
from lab.play import program
from lab.play.final_check import check_losses
from lab.play.scenes import crash_scene, deploy_scene, first_boot_scene, rollback_scene, synthesized, upgrade_scene
from lab.play.stage import Stage, open_stage
from lab.play.synthesis import Template
from lab.report.live import Display
from lab.report.model import Phase, Report, Scene, took
from lab.report.report_html import write_html
from lab.report.report_json import write_json

INTENTS = {
    "deploy": "the synthesized template is deployed",
    "first boot": "the group launches its first instance, and clients wait for it",
    "crash": "the power of the machine that serves is cut, and nobody helps",
    "upgrade": "version 2 of the image is promoted, and the instance of version 1 is ended",
    "rollback": "version 1 is promoted again, and the instance of version 2 is ended",
}
SCENES = tuple(INTENTS)


def main() -> int:
    """Prepare outside, play inside a namespace. Exit codes: docs/runbook.md."""
    return program.run("demo", ["lab.demo"], lambda kernel, images: play(kernel, images, BUILD / "demo"))


def play(kernel: Kernel, images: Images, out: Path) -> int:
    """Play all scenes, check for lost writes and write the report; 0 if it has no findings, else 1."""
    started_at, began_s = datetime.now(UTC), time.monotonic()
    with output(out) as unfinished:
        report = _play(kernel, images, unfinished / "calls.jsonl", started_at, began_s)
        write_json(report, unfinished / "report.json")
        write_html(report, unfinished / "report.html")
    return _conclude(report, out)


def _play(kernel: Kernel, images: Images, calls: Path, started_at: datetime, began_s: float) -> Report:
    problems: list[str] = []
    try:
        with run_directory() as directory:
            print(f"demo: cdk synth of {SERVICE}", flush=True)
            first = synthesized(SERVICE, IMAGE_IDS["1"], directory / "cdk.out" / "1")
            second = synthesized(SERVICE, IMAGE_IDS["2"], directory / "cdk.out" / "2")
            with open_stage(kernel, images, directory, problems) as stage, Display(stage.snapshot):
                stage.lab.control_plane.calls.keep_in(calls)
                return _play_scenes(stage, first, second[0], started_at, began_s)
    finally:
        for problem in problems:
            print(f"lab: {problem}", file=sys.stderr)


def _play_scenes(
    stage: Stage, first: tuple[Template, Phase], second: Template, started_at: datetime, began_s: float
) -> Report:
    plays: list[Callable[[], Scene]] = [
        lambda: deploy_scene(stage, *first),
        lambda: first_boot_scene(stage),
        lambda: crash_scene(stage),
        lambda: upgrade_scene(stage, second, IMAGE_IDS["2"]),
        lambda: rollback_scene(stage, IMAGE_IDS["1"]),
    ]
    template = first[0]
    stage.planned = SCENES
    scenes: list[Scene] = []
    deployed_sha256 = ""
    for number, (name, play_scene) in enumerate(zip(SCENES, plays, strict=True), start=1):
        stage.say(f"SCENE {number} of {len(SCENES)}, {name}: {INTENTS[name]}")
        scenes.append(play_scene())
        stage.note_end(scenes[-1])
        deployed_sha256 = deployed_sha256 or stage.lab.control_plane.template_sha256(template.stack_name) or ""
        if not scenes[-1].healed:
            stage.say(f"{scenes[-1].name} did not heal: {scenes[-1].reason}")
            break
    verdict = check_losses(stage)
    stage.say(verdict.sentence)
    lost, record = set(verdict.lost), stage.lab.record(stage.record_name)
    return Report(
        service=stage.service,
        record_name=stage.record_name,
        record_ttl_s=record.ttl_s if record else 0,
        started_at=started_at.isoformat(timespec="seconds"),
        duration_s=time.monotonic() - began_s,
        acknowledged=verdict.acknowledged,
        lost=len(lost),
        template_sha256=template.sha256,
        deployed_sha256=deployed_sha256,
        scenes=tuple(_with_losses(stage, scene, lost) for scene in scenes),
        planned=SCENES,
        machine=_this_machine(),
        versions={name: version(name) for name in ("aws-cdk-lib", "moto", "boto3")},
        events=stage.events(),
    )


def _with_losses(stage: Stage, scene: Scene, lost: set[tuple[str, int]]) -> Scene:
    from_s, until_s = stage.zero_s + scene.start_s, stage.zero_s + scene.end_s
    written = stage.lab.ledger.acknowledged(from_s, until_s)
    return replace(scene, lost=sum(1 for writer, seq in lost if seq in written.get(writer, ())))


def _conclude(report: Report, out: Path) -> int:
    print()
    for scene in report.scenes:
        mark = "healed" if scene.healed else "DID NOT HEAL"
        moved = f"{scene.zone_from or '-':>12} -> {scene.zone_to or '-'}"
        print(f"  {scene.name:12} {mark:12} {took(scene):18} {moved}")
    where = (out / "report.html").relative_to(CHECKOUT)
    counted = f"{report.acknowledged:,} writes acknowledged, {report.lost:,} lost"
    print(
        f"\n{counted}; {report.duration_s:.0f} s in all. Times are those of this computer, not of AWS. Report: {where}"
    )
    for finding in report.findings:
        print(f"demo: not proven: {finding}", file=sys.stderr)
    return 1 if report.findings else 0


def _this_machine() -> str:
    with open("/proc/cpuinfo") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} x {names[0] if names else '?'}, {memory_gib:.0f} GiB, Linux {platform.release()}"


if __name__ == "__main__":
    sys.exit(main())
