"""The watchdog's runs, from the source text that ships: whom it ends, whom it leaves alone, and when it goes back."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.watched_account import HOOK_S, START_S, Account, load

SHIPPED = load()
ENDINGS = ("report-unhealthy", "abandon-launch")
Scenario = Callable[[Any], None]


# ------------------------------------------------------------------ it acts
def a_frozen_machine_is_replaced(module: Any) -> None:
    account = Account(module)
    one = account.serve()
    one.lives = False
    frozen_s = account.now_s
    account.watch(minutes=3)
    assert account.actions("report-unhealthy") == [("report-unhealthy", one.instance_id)]
    said = next(line for line in account.said if "is reported unhealthy" in line)
    assert "silent for" in said
    assert "its state port does not answer" in said
    # Nobody is left who would complete the terminate hook, and its time-out is longer than a boot.
    assert account.actions("let-go") == [("let-go", one.instance_id)]
    (other,) = account.machines
    assert other.lifecycle == "InService"
    assert other.ready_s is not None
    assert other.ready_s - frozen_s < 120
    (message,) = account.told
    assert (message.kind, message.instance_id) == ("watchdog-acted", one.instance_id)
    assert account.counted["WatchdogActed"] == 1
    assert f"console of {one.instance_id}" in "\n".join(account.said)


def a_hung_kernel_is_replaced_also_where_looks_fail(module: Any) -> None:
    account = Account(module)
    one = account.serve()
    one.lives, account.look_fails = False, True
    account.watch(minutes=2)
    assert not account.done
    one.is_impaired = True
    account.watch(minutes=2)
    assert account.actions("report-unhealthy") == [("report-unhealthy", one.instance_id)]


def a_boot_that_hangs_is_abandoned(module: Any) -> None:
    account = Account(module)
    account.serve().crashes_after_s = 0  # its successor is what this is about
    account.kinds["1"] = {"lives": False}
    account.watch(minutes=9)
    (hung,) = account.actions("abandon-launch")
    seconds = account.now_s - START_S
    assert 240 <= seconds < HOOK_S + 420  # sooner than by the launch hook's time-out
    assert hung[1] != "i-1"


def an_instance_that_boots_is_given_time(module: Any) -> None:
    account = Account(module)
    account.serve().crashes_after_s = 0
    account.sleep(1)
    account.kinds["1"] = {"agent_s": 200.0}
    account.watch(minutes=6)
    assert not account.done
    assert account.machines[-1].lifecycle == "InService"


def the_watchdog_after_the_window(module: Any) -> None:
    account = Account(module)
    for _ in range(2):
        one = account.serve() if not account.machines else account.machines[0]
        one.lives = False
        account.watch(minutes=40)
    assert len(account.actions("report-unhealthy")) == 2


# ------------------------------------------------------------------ it keeps still
def an_instance_that_is_well(module: Any) -> None:
    account = Account(module)
    account.serve()
    account.watch(minutes=30)
    assert not account.done
    assert account.counted["WatchdogBlind"] == 0


def metrics_that_are_late_by_minutes(module: Any) -> None:
    account = Account(module)
    account.serve()
    account.metrics_late_s = 300
    account.watch(minutes=5)
    account.path_is_cut = True  # and the other sign is wrong as well
    account.watch(minutes=10)
    assert not account.done


def a_port_that_does_not_answer_while_heartbeats_come(module: Any) -> None:
    account = Account(module)
    account.serve().answers = False
    account.watch(minutes=10)
    assert not account.done


def heartbeats_that_stop_while_the_port_answers(module: Any) -> None:
    account = Account(module)
    one = account.serve()
    account.sleep(10)
    one.launched_s -= 0.5  # its beats fall between the seconds: none is sent any more
    account.watch(minutes=20)
    assert not account.done


def a_port_that_was_never_reached(module: Any) -> None:
    account = Account(module, path_is_cut=True)
    one = account.serve()
    assert account.counted["WatchdogBlind"] == 1
    one.lives = False
    account.watch(minutes=5)
    assert not account.done


def a_heartbeat_that_never_came(module: Any) -> None:
    account = Account(module)
    account.launch().launched_s -= 0.5
    account.watch(minutes=10)
    account.path_is_cut = True
    account.watch(minutes=10)
    assert not account.done


def a_deployment_that_looks_at_another_port(module: Any) -> None:
    """What runs answers on the port of its own version until the deployed one is promoted."""
    account = Account(module)
    one = account.serve()
    account.watch(minutes=3, port=9999)
    one.launched_s -= 0.5  # and its heartbeats are lost
    account.watch(minutes=20, port=9999)
    assert not account.done
    account.run()
    one.lives = False
    account.watch(minutes=3)
    assert account.actions("report-unhealthy")


def a_deployment_that_wants_more_heartbeats(module: Any) -> None:
    """What runs sends one a minute, as its own version says, and for a while it cannot be reached."""
    account = Account(module, kinds={"1": {"beat_s": 60.0}})
    one = account.serve()
    account.path_is_cut = True
    account.watch(minutes=10)
    assert not account.done
    account.path_is_cut = False
    account.watch()
    one.lives = False
    account.watch(minutes=6)
    assert account.actions("report-unhealthy")


def one_lost_answer_while_no_heartbeat_arrives(module: Any) -> None:
    account = Account(module)
    one = account.serve()
    one.launched_s -= 0.5
    account.watch(minutes=2)
    run = account.new_run()
    run.memory, run.kept, run.version = module.parse_memory(account.parameter[0]), *account.parameter
    for is_cut in (True, True, False, True, True):
        account.path_is_cut = is_cut
        run.look()
        account.sleep(3)
    assert not account.done


def an_api_that_is_away(module: Any) -> None:
    account = Account(module)
    one = account.serve()
    one.lives = False
    run = account.new_run()
    account.sleep(1)
    text, version = account.parameter
    run.memory, run.kept, run.version = module.parse_memory(text), text, version
    account.api_is_away = True
    for _ in range(10):
        with pytest.raises(module.AwsError):
            run.look()
        account.sleep(5)
    assert not account.done


def maintenance_mode(module: Any) -> None:
    account = Account(module)
    one = account.serve()
    account.in_maintenance = "ann@host: moves the data"
    one.lives, one.is_impaired = False, True
    account.watch(minutes=20)
    assert not account.done
    assert any("ann@host: moves the data" in line for line in account.said)


def a_second_replacement_within_the_window(module: Any) -> None:
    account = Account(module)
    account.serve().lives = False
    account.watch(minutes=5)
    (other,) = account.machines
    other.lives = False
    account.watch(minutes=10)
    assert [kind for kind, _ in account.done if kind in ENDINGS] == ["report-unhealthy"]
    assert any("ends one instance in 1800 s at most" in line for line in account.said)


def a_function_that_runs_twice(module: Any) -> None:
    account = Account(module)
    one = account.serve()
    one.lives = False
    account.sleep(60)
    runs = [account.new_run(), account.new_run()]
    for run in runs:
        run.memory, run.kept, run.version = module.parse_memory(account.parameter[0]), *account.parameter
        account.own.append(account.now_s)
    interfered = 0
    for _ in range(5):
        for run in runs:
            try:
                run.look()
            except module.Interfered:
                interfered += 1
        account.sleep(3)
    assert interfered
    assert account.actions(*ENDINGS) == [("report-unhealthy", one.instance_id)]


def a_memory_that_somebody_changes(module: Any) -> None:
    account = Account(module)
    account.serve().lives = False
    account.sleep(60)
    account.interferes = True
    account.watch(minutes=3)
    assert not account.done
    assert any("the memory is read again" in line for line in account.said)


def a_person_who_clears_it_meanwhile(module: Any) -> None:
    """The run that looks goes on with what the person wrote, and is not blind until the next one."""
    account = Account(module)
    one = account.serve()
    one.lives = False
    account.sleep(40)
    run, real_sleep, slept = account.new_run(), account.sleep, []

    def sleep(seconds: float) -> None:
        if not slept:  # between the first and the second look of the run
            written = module.Memory(boot=run.memory.boot, broken=("9",))
            account.parameter = (module.memory_text(written), run.version + 1)
        slept.append(seconds)
        real_sleep(seconds)

    account.sleep = sleep  # type: ignore[method-assign]
    run.run()
    assert account.actions("report-unhealthy") == [("report-unhealthy", one.instance_id)]
    assert '"broken": ["9"]' in account.parameter[0]


def a_memory_that_somebody_deletes(module: Any) -> None:
    """It begins anew by itself, and cannot know whether an instance was ended a moment ago."""
    account = Account(module)
    one = account.serve()
    account.parameter = ("", 0)
    account.watch()
    one.lives = False
    account.watch(minutes=25)
    assert not account.done
    assert any("the memory is gone" in line for line in account.said)
    account.watch(minutes=10)
    assert account.actions("report-unhealthy") == [("report-unhealthy", one.instance_id)]


def an_orderly_stop_is_left_alone(module: Any) -> None:
    account = Account(module)
    one = account.serve()
    one.lifecycle, one.ended_s = "Terminating:Wait", account.now_s
    one.answers = False  # the server of the state is closed already
    run = account.new_run()
    run.memory, run.kept, run.version = module.parse_memory(account.parameter[0]), *account.parameter
    for _ in range(20):
        run.look()
        account.now_s += 3
        account.own.append(account.now_s)
        one.beats.append(account.now_s - 5)
    assert not account.done


# ------------------------------------------------------------------ the breaker
def a_bad_image_goes_back(module: Any) -> None:
    account = Account(module, kinds={"2": {"fails": True}})
    account.serve()
    account.promote("2")
    account.watch(minutes=8)
    assert account.actions("launch-from") == [("launch-from", "1")]
    (one,) = account.machines
    assert (one.version, one.lifecycle) == ("1", "InService")
    (message,) = [message for message in account.told if message.kind == "rolled-back"]
    assert "2 boots of version 2 in a row have failed: back to version 1" in message.why


def an_image_that_crashes_when_it_is_ready_goes_back(module: Any) -> None:
    account = Account(module, kinds={"2": {"crashes_after_s": 120}})
    account.serve()
    account.promote("2")
    account.watch(minutes=12)
    assert account.actions("launch-from") == [("launch-from", "1")]


def an_image_whose_boot_hangs_goes_back(module: Any) -> None:
    account = Account(module, kinds={"2": {"lives": False}})
    account.serve()
    account.promote("2")
    account.watch(minutes=45)
    assert account.actions("launch-from") == [("launch-from", "1")]
    assert account.machines[0].version == "1"


def two_bad_images_are_told_and_left(module: Any) -> None:
    account = Account(module, kinds={"2": {"fails": True}})
    account.serve()
    account.kinds["1"] = {"fails": True}  # what it needs is gone
    account.promote("2")
    account.watch(minutes=60)
    assert account.actions("launch-from") == [("launch-from", "1")]
    assert [message.kind for message in account.told] == ["rolled-back", "crash-loop"]
    assert account.version == "1"


def a_bad_first_image_is_told_once(module: Any) -> None:
    account = Account(module, kinds={"1": {"fails": True}})
    account.launch()
    account.watch(minutes=30)
    assert not account.actions("launch-from")
    assert [message.kind for message in account.told] == ["crash-loop"]


def one_failed_boot_is_no_circle(module: Any) -> None:
    account = Account(module)
    account.serve()
    account.kinds["2"] = {"fails": True}
    account.promote("2")
    account.sleep(10)
    account.kinds["2"] = {}
    account.watch(minutes=20)
    assert "1 in a row of version 2" in "\n".join(account.said)
    assert not account.actions("launch-from")
    assert account.machines[0].version == "2"


def single_failed_boots_of_a_good_version_are_no_row(module: Any) -> None:
    account = Account(module)
    account.serve()
    for _ in range(3):
        account.kinds["1"] = {"fails": True}
        account.promote("1")
        account.sleep(10)
        account.kinds["1"] = {}
        account.watch(minutes=10)
    assert "1 in a row of version 1" in "\n".join(account.said)
    assert not account.told


def each_time_that_the_good_version_does_not_boot_is_told(module: Any) -> None:
    """What it needs was away for a while; it came back, and was away once more a day later."""
    account = Account(module)
    account.serve()
    for _ in range(2):
        account.kinds["1"] = {"fails": True}
        account.promote("1")
        account.watch(minutes=15)
        account.kinds["1"] = {}
        account.watch(minutes=20)
        assert account.machines[0].lifecycle == "InService"
    assert [message.kind for message in account.told] == ["crash-loop"] * 2
    assert not account.actions("launch-from")


def a_rollout_is_no_failed_boot(module: Any) -> None:
    account = Account(module)
    account.serve()
    for version in ("2", "3", "4", "5"):
        account.promote(version)
        account.sleep(20)
        account.run()
    account.watch(minutes=10)
    assert not account.actions("launch-from")


def a_deployment_that_sets_it_back(module: Any) -> None:
    account = Account(module, kinds={"2": {"fails": True}})
    account.serve()
    account.promote("2")
    account.watch(minutes=15)
    account.version = "2"  # CloudFormation writes the version of the stack
    account.watch(minutes=1)
    assert account.actions("launch-from") == [("launch-from", "1")] * 2
    assert account.machines[0].lifecycle == "InService"


SCENARIOS: tuple[Scenario, ...] = (
    a_frozen_machine_is_replaced,
    a_hung_kernel_is_replaced_also_where_looks_fail,
    a_boot_that_hangs_is_abandoned,
    an_instance_that_boots_is_given_time,
    the_watchdog_after_the_window,
    an_instance_that_is_well,
    metrics_that_are_late_by_minutes,
    a_port_that_does_not_answer_while_heartbeats_come,
    heartbeats_that_stop_while_the_port_answers,
    a_port_that_was_never_reached,
    a_heartbeat_that_never_came,
    a_deployment_that_looks_at_another_port,
    a_deployment_that_wants_more_heartbeats,
    one_lost_answer_while_no_heartbeat_arrives,
    an_api_that_is_away,
    maintenance_mode,
    a_second_replacement_within_the_window,
    a_function_that_runs_twice,
    a_memory_that_somebody_changes,
    a_person_who_clears_it_meanwhile,
    a_memory_that_somebody_deletes,
    an_orderly_stop_is_left_alone,
    a_bad_image_goes_back,
    an_image_that_crashes_when_it_is_ready_goes_back,
    an_image_whose_boot_hangs_goes_back,
    two_bad_images_are_told_and_left,
    a_bad_first_image_is_told_once,
    one_failed_boot_is_no_circle,
    single_failed_boots_of_a_good_version_are_no_row,
    each_time_that_the_good_version_does_not_boot_is_told,
    a_rollout_is_no_failed_boot,
    a_deployment_that_sets_it_back,
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.__name__)
def test_it_does_what_the_scenario_says(scenario: Scenario):
    scenario(SHIPPED)


# What the source says, what it says when the rule is broken, and the scenario that sees it.
BROKEN_RULES: tuple[tuple[str, str, Scenario], ...] = (
    ("if seen.maintenance:", "if False:", maintenance_mode),
    ("if not signs:", "if False:", a_hung_kernel_is_replaced_also_where_looks_fail),
    ("if not is_silent:", "if False:", a_port_that_does_not_answer_while_heartbeats_come),
    ("if own_s is None or own_s > settings.silence_s:", "if False:", metrics_that_are_late_by_minutes),
    ("beat_s < max(settings.silence_s, BEATS * seen.beat_gap_s)", "False", an_orderly_stop_is_left_alone),
    ("max(settings.silence_s, BEATS * seen.beat_gap_s)", "settings.silence_s", a_deployment_that_wants_more_heartbeats),
    ("and memory.boot.answered_on == port", "and memory.boot.answered_on", a_deployment_that_looks_at_another_port),
    ("and can_be_reached:", "and True:", a_port_that_was_never_reached),
    ("(since_s < settings.window_s)", "False", a_second_replacement_within_the_window),
    (
        "self._keep(replace(self.memory, acted_on=instance_id, acted_at=group.now_s))",
        "pass",
        a_memory_that_somebody_changes,
    ),
    ("LOOKS = 3", "LOOKS = 1", one_lost_answer_while_no_heartbeat_arrives),
    ("watched.unanswered = 0", "pass", one_lost_answer_while_no_heartbeat_arrives),
    ("if seen.lifecycle == 'InService':\n  return (False", "if False:\n  return (False", a_heartbeat_that_never_came),
    ("if seen.age_s < settings.boot_silence_s:", "if False:", an_instance_that_boots_is_given_time),
    ("good != group_version and", "", two_bad_images_are_told_and_left),
    ("if memory.gave_up:", "if False:", two_bad_images_are_told_and_left),
    ("or count < settings.failed_boots:", "or count < 1:", one_failed_boot_is_no_circle),
    ("now_s - boot.ready_at >= settle_s and", "", an_image_that_crashes_when_it_is_ready_goes_back),
    (
        "or member.version in memory.broken:",
        "or member.version in (memory.good, *memory.broken):",
        single_failed_boots_of_a_good_version_are_no_row,
    ),
    (
        "failed_boots=0, gave_up=False)\n",
        "failed_boots=0)\n",
        each_time_that_the_good_version_does_not_boot_is_told,
    ),
    ("if group_version in memory.broken and has_way_back:", "if False:", a_deployment_that_sets_it_back),
    (
        "self.memory = Memory(acted_on=NOBODY_KNOWS, acted_at=self.aws.group().now_s)",
        "self.memory = Memory()",
        a_memory_that_somebody_deletes,
    ),
    ("except Interfered as error:", "except ZeroDivisionError as error:", a_person_who_clears_it_meanwhile),
)


@pytest.mark.parametrize(("rule", "broken", "scenario"), BROKEN_RULES, ids=lambda one: getattr(one, "__name__", "rule"))
def test_a_rule_that_is_broken_turns_its_scenario_red(rule: str, broken: str, scenario: Scenario):
    def break_it(source: str) -> str:
        assert rule in source, f"the source has no longer {rule!r}"
        return source.replace(rule, broken)

    with pytest.raises(AssertionError):
        scenario(load(break_it))
