"""`make demo`: a real service, deployed by the real template, crashes, heals, is upgraded and rolled back.

For: anyone with a Debian 12 machine and no AWS account. Guarantees: exit code 0 only if every scene healed, the name
points at the right network interface, nothing acknowledged was lost and what was deployed is what was synthesized;
everything that was started is ended. Does not: prove what AWS does; docs/lab-fidelity.md says what is modelled how.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from lab.base.errors import LabError
from lab.base.run_directory import run_directory
from lab.base.waiting import wait_for
from lab.client.check import CheckFailed, Verdict, compare, read_stored
from lab.hardware import namespace
from lab.hardware.probe import Kernel, probe_kernel
from lab.image.__main__ import VERSIONS, build_all
from lab.image.store import ImageStore
from lab.play.scenes import crash_scene, deploy_scene, first_boot_scene, rollback_scene, synthesized, upgrade_scene
from lab.play.stage import Stage
from lab.play.synthesis import Template
from lab.play.world import Images, World
from lab.report.live import Display
from lab.report.model import Phase, Report, Scene
from lab.report.report_html import write_html
from lab.report.report_json import write_json
from services.load import load_service

ROOT = Path(__file__).resolve().parent.parent
SERVICE = "influxdb"
IMAGE_IDS = {"1": "ami-0a000000000000001", "2": "ami-0a000000000000002"}
SCENES = ("deploy", "first boot", "crash", "upgrade", "rollback")
CHECK_LIMIT_S = 20.0


def main() -> int:
    """Prepare outside, play inside a namespace. Exit codes: docs/exit-codes.md."""
    try:
        if not namespace.inside():
            namespace.check()
        kernel, images = prepare()
        if not namespace.inside():
            namespace.enter([sys.executable, "-m", "lab.demo"])
        return play(kernel, images, ROOT / "build" / "demo")
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("demo: stopped by Ctrl-C; every machine has been ended", file=sys.stderr)
        return 130


def prepare() -> tuple[Kernel, Images]:
    """A kernel that boots here and all disk images, from the cache where nothing changed. Raises LabError."""
    cache = ROOT / "build" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    kernel = probe_kernel(cache)
    built = build_all(ImageStore(cache, progress=_print_progress), SERVICE)
    instances = {IMAGE_IDS[number]: built[f"{SERVICE} version {number}"] for number in VERSIONS}
    return kernel, Images(instances=instances, server=built["server"], client=built["client"])


@contextmanager
def open_stage(kernel: Kernel, images: Images, directory: Path, problems: list[str]) -> Iterator[Stage]:
    """A running lab with the demo's service and images; `problems` collects what went wrong in the background."""
    with World(kernel, images, directory, problems.append) as world:
        stage = Stage(world, SERVICE, load_service(ROOT / "services" / f"{SERVICE}.yaml").dns.record)
        stage.image_versions = {image_id: number for number, image_id in IMAGE_IDS.items()}
        for number, image_id in IMAGE_IDS.items():
            world.control_plane.register_image(image_id, f"{SERVICE}-{number}", {"version": number})
        yield stage


def play(kernel: Kernel, images: Images, out: Path) -> int:
    """All scenes, the check and the report; 0 when everything is as it should be, else 1."""
    signal.signal(signal.SIGTERM, _interrupt)
    started_at, began_s = datetime.now(UTC), time.monotonic()
    problems: list[str] = []
    try:
        with run_directory() as directory:
            print(f"demo: cdk synth of {SERVICE}", flush=True)
            first = synthesized(SERVICE, IMAGE_IDS["1"], directory / "cdk.out" / "1")
            second = synthesized(SERVICE, IMAGE_IDS["2"], directory / "cdk.out" / "2")
            with open_stage(kernel, images, directory, problems) as stage, Display(stage.snapshot):
                stage.world.control_plane.calls.keep_in(out / "calls.jsonl")
                report = _play_scenes(stage, first, second[0], started_at, began_s)
    finally:
        for problem in problems:
            print(f"lab: {problem}", file=sys.stderr)
    out.mkdir(parents=True, exist_ok=True)
    write_json(report, out / "report.json")
    write_html(report, out / "report.html")
    return _conclude(report, out)


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
    scenes: list[Scene] = []
    deployed_sha256 = ""
    for play_scene in plays:
        scenes.append(play_scene())
        deployed_sha256 = deployed_sha256 or stage.world.control_plane.template_sha256(template.stack_name) or ""
        if not scenes[-1].healed:
            stage.say(f"{scenes[-1].name} did not heal: {scenes[-1].reason}")
            break
    verdict = check(stage)
    stage.say(verdict.sentence)
    lost = {point for point in verdict.lost}
    return Report(
        service=stage.service,
        record_name=stage.record_name,
        record_ttl_s=10,
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


def check(stage: Stage) -> Verdict:
    """End the client, then ask the service for everything it has; an unanswered question counts as everything lost."""
    stage.scene = "check"
    stage.say("the client is switched off; the service is asked for every acknowledged point")
    stage.world.client.kill()  # what was acknowledged but not reported yet does not count, which errs on the safe side
    acknowledged = stage.world.ledger.acknowledged()
    address = stage.world.resolve(stage.record_name)
    trouble: list[str] = []

    def ask() -> Verdict | None:
        try:
            return compare(acknowledged, read_stored(address))
        except CheckFailed as failure:
            trouble.append(str(failure))
            return None

    try:
        return wait_for(ask, "the service's points", deadline_s=CHECK_LIMIT_S, describe=lambda: trouble[-1])
    except LabError as error:
        stage.say(str(error))
        return compare(acknowledged, {})


def _with_losses(stage: Stage, scene: Scene, lost: set[tuple[str, int]]) -> Scene:
    from_s, until_s = stage.zero_s + scene.start_s, stage.zero_s + scene.end_s
    written = stage.world.ledger.acknowledged(from_s, until_s)
    return replace(scene, lost=sum(1 for writer, seq in lost if seq in written.get(writer, ())))


def _conclude(report: Report, out: Path) -> int:
    print()
    for scene in report.scenes:
        mark = "healed" if scene.healed else "DID NOT HEAL"
        moved = f"{scene.zone_from or '-':>12} -> {scene.zone_to or '-'}"
        print(f"  {scene.name:12} {mark:12} outage {scene.outage_s:6.1f} s  {moved}")
    where = (out / "report.html").relative_to(ROOT)
    counted = f"{report.acknowledged:,} writes acknowledged, {report.lost:,} lost"
    print(f"\n{counted}; {report.duration_s:.0f} s in all; report: {where}")
    for finding in report.findings:
        print(f"not as it should be: {finding}", file=sys.stderr)
    return 1 if report.findings else 0


def _this_machine() -> str:
    with open("/proc/cpuinfo") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} x {names[0] if names else '?'}, {memory_gib:.0f} GiB, Linux {platform.release()}"


def _print_progress(sentence: str) -> None:
    if not namespace.inside():
        print(f"demo: {sentence}", flush=True)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
