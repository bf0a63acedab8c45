"""Promotion: what is planned, what is carried out, and that it can be interrupted anywhere."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bootstrap.base.names import rollouts_parameter, stack_name
from bootstrap.base.state import State
from lab.aws import Fault
from rollout.errors import IncompleteError, NotReadyInTime, PreconditionError, RolloutError
from rollout.history import KEPT, Promotion, note, read_history
from rollout.observe import Member, Observed, StagedVersion, observe
from rollout.promote import execute, plan_promotion, previous_version, wait_until_ready
from rollout.stack import Stack
from tests.kit.clock import FakeClock
from tests.kit.deployed_group import GROUP, NEW, OLD, Clients, report

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def seen_with(*, default: int = 1, stack: str = "first", group: str = "1", launched: str = "1") -> Observed:
    return Observed(
        service="demo",
        group_name=stack_name("demo"),
        launch_template_id="lt-1",
        versions=(
            StagedVersion(number=1, image_id=OLD, description="old"),
            StagedVersion(number=2, image_id=NEW, description="new"),
            StagedVersion(number=3, image_id="ami-failed", description="of a deployment that was rolled back"),
        ),
        default_version=default,
        group_version=group,
        stack=Stack(name=GROUP, status="UPDATE_COMPLETE", promoted=stack, staged="new"),
        members=(Member(instance_id="i-1", version=launched),),
        state=State(),
    )


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({}, ["note", "set-default", "set-stack", "end-instance"]),
        ({"default": 2}, ["note", "set-stack", "end-instance"]),  # interrupted before the stack was updated
        ({"default": 2, "stack": "2", "group": "2"}, ["end-instance"]),  # interrupted before the instance was ended
        ({"default": 2, "stack": "2", "group": "2", "launched": "2"}, []),  # the new one boots: it is not ended
        ({"default": 2, "stack": "2", "group": "1"}, ["note", "set-group", "end-instance"]),  # somebody moved the group
        ({"stack": "1", "group": "2", "launched": "2"}, ["set-default", "set-stack"]),  # the next deploy would undo it
        ({"group": "$Default"}, ["note", "set-default", "set-stack", "end-instance"]),
    ],
)
def test_plan_from_every_interruption_completes_the_promotion(seen: dict[str, Any], expected: list[str]) -> None:
    plan = plan_promotion(seen_with(**seen))
    assert ([change.kind for change in plan.changes], plan.to_version) == (expected, 2), "staged, and not the newest"


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        ("UPDATE_IN_PROGRESS", "Wait for its end"),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "Wait for its end"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name soloist-demo"),
        ("ROLLBACK_COMPLETE", "delete it"),
        ("UPDATE_ROLLBACK_COMPLETE", "the last deployment failed, and staged nothing.*one of 1, 2, 3"),
    ],
)
def test_a_stack_that_is_not_at_rest_is_refused_with_the_remedy(status: str, refusal: str) -> None:
    seen = seen_with()
    seen = replace(seen, stack=replace(seen.stack, status=status))
    with pytest.raises(PreconditionError, match=f"{GROUP} is {status}: .*{refusal}"):
        plan_promotion(seen)
    if status == "UPDATE_ROLLBACK_COMPLETE":  # the way back is open after a failed deployment
        assert plan_promotion(seen, 2).to_version == 2
    else:
        with pytest.raises(PreconditionError, match=refusal):
            plan_promotion(seen, 2)


def test_plan_of_unknown_version_is_refused_with_the_known_ones() -> None:
    with pytest.raises(PreconditionError, match=r"no version 7\. Choose one of 1, 2, 3"):
        plan_promotion(seen_with(), 7)


def test_promotion_moves_every_pointer_and_ends_the_instance(clients: Clients) -> None:
    seen = observe(clients, "demo")
    said: list[str] = []
    execute(clients, seen, plan_promotion(seen), said.append, now=NOW)
    after = observe(clients, "demo")
    assert (after.default_version, after.stack.promoted, after.group_version) == (2, "2", "2")
    assert [member.version for member in after.members] == ["2"]
    assert said[-1] == f"instance {seen.members[0].instance_id} ended gracefully; the group launches {NEW}"
    assert plan_promotion(after).changes == (), "again ends nothing, although nobody has reported yet"


def promoted(clients: Clients, version: int | None, *, fail_at: str = "") -> int:
    """Promote `version`, or roll back where it is None; the promoted version then. `fail_at`: a call that AWS refuses
    this time."""
    seen = observe(clients, "demo")
    target = previous_version(clients, seen) if version is None else version
    plan = plan_promotion(seen, target, is_rollback=version is None)
    if fail_at:
        clients.aws.faults.add(Fault(action=fail_at, code="AccessDenied", message="no", count=1))
        with pytest.raises(RolloutError):
            execute(clients, seen, plan, print)
    else:
        execute(clients, seen, plan, print)
    clients.aws.advance(60)
    return observe(clients, "demo").promoted


def test_rollback_undoes_one_promotion_and_repeating_it_never_brings_the_bad_version_back(clients: Clients) -> None:
    clients.deploy("ami-00000000000000003")
    for version in (2, 3):
        assert promoted(clients, version) == version
    assert promoted(clients, None, fail_at="UpdateStack") == 3
    assert promoted(clients, None) == 2, "the same command completes it"
    assert promoted(clients, None) == 2, "its instance is not ready yet"
    (member,) = observe(clients, "demo").members
    report(clients, phase="ready", instance_id=member.instance_id, image_id=NEW)
    assert promoted(clients, None) == 1, "another one undoes the promotion before"
    assert promoted(clients, 3, fail_at="UpdateStack") == 1
    (member,) = observe(clients, "demo").members
    report(clients, phase="ready", instance_id=member.instance_id, image_id=OLD)
    with pytest.raises(PreconditionError, match="unknown"):
        promoted(clients, None)


def test_what_was_promoted_in_a_stack_that_was_made_again_is_no_way_back(clients: Clients) -> None:
    note(clients, "demo", Promotion(at="", from_version=2, to_version=1, image_id=OLD, launch_template_id="lt-former"))
    with pytest.raises(PreconditionError, match="the version before it is unknown"):
        previous_version(clients, observe(clients, "demo"))


@pytest.mark.parametrize("group", [{"HealthCheckGracePeriod": 60}, {"Nonsense": 1}])
def test_no_deployment_changes_what_is_promoted(clients: Clients, group: dict[str, Any]) -> None:
    """Of the group alone, or rolled back (aws-cloudformation/cloudformation-coverage-roadmap#68)."""
    promoted(clients, 2)
    assert clients.deploy(OLD, **group) == ("UPDATE_ROLLBACK_COMPLETE" if "Nonsense" in group else "UPDATE_COMPLETE")
    seen = observe(clients, "demo")
    assert (seen.promoted, seen.stack.promoted) == (2, "2")


@pytest.mark.parametrize("text", ["{", "{}", '[{"from_version": "1"}]', "[7]"])
def test_a_history_that_is_none_is_named_and_kept(clients: Clients, text: str) -> None:
    name = rollouts_parameter("demo")
    clients.ssm.put_parameter(Name=name, Value=text, Type="String")
    seen = observe(clients, "demo")
    with pytest.raises(PreconditionError, match=rf"{name} is no history of promotions: .*Set its value to \[\]"):
        previous_version(clients, seen)
    with pytest.raises(PreconditionError, match="is no history"):
        execute(clients, seen, plan_promotion(seen), print, now=NOW)
    assert observe(clients, "demo") == seen, "nothing was changed"
    assert clients.ssm.get_parameter(Name=name)["Parameter"]["Value"] == text


def test_the_history_keeps_the_last_twenty(clients: Clients) -> None:
    for number in range(KEPT + 3):
        note(clients, "demo", Promotion(at="", from_version=number + 1, to_version=number + 2, image_id=NEW))
    kept = read_history(clients, "demo")
    assert [entry.from_version for entry in kept] == list(range(4, KEPT + 4))


def test_failed_step_says_what_was_done_and_how_to_go_on(clients: Clients) -> None:
    seen = observe(clients, "demo")
    plan = plan_promotion(seen)
    clients.aws.faults.add(Fault(action="UpdateStack", code="AccessDenied", message="no"))
    with pytest.raises(IncompleteError, match=r"set-stack failed after note, set-default: .*same command"):
        execute(clients, seen, plan, print, now=NOW)


@pytest.mark.parametrize(
    ("state", "is_ready"),
    [
        ({"phase": "ready", "instance_id": "i-new", "image_id": NEW}, True),
        ({"phase": "ready", "instance_id": "i-old", "image_id": NEW}, False),  # the one that is being ended
        ({"phase": "ready", "instance_id": "i-new", "image_id": OLD}, False),  # a heal with the old image
        ({"phase": "booting", "instance_id": "i-new", "image_id": NEW}, False),
    ],
)
def test_ready_means_another_instance_on_the_promoted_image(
    clients: Clients, state: dict[str, str], *, is_ready: bool
) -> None:
    plan = replace(plan_promotion(observe(clients, "demo")), former=("i-old",))
    clock = FakeClock()
    clock.at(1, lambda: report(clients, **state))
    if is_ready:
        assert wait_until_ready(clients, plan, clock, deadline_s=10).instance_id == "i-new"
    else:
        with pytest.raises(NotReadyInTime, match=r"not ready on ami-0000000000000002b after 10 s; last state: "):
            wait_until_ready(clients, plan, clock, deadline_s=10)
