"""Every wait and every loop is bounded, named, ended by a stop, and silent about what it has said."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

import bootstrap
from bootstrap.base.clock import StopRequest
from bootstrap.base.errors import AgentError, CloudError, DeadlineExceeded, StopRequested
from bootstrap.base.retry import NotYet, Pauses, never, retry
from bootstrap.cloud.clients import PROPAGATION_CODES, PROPAGATION_S, passes_with_time
from tests.kit.clock import FakeClock


def test_stop_ends_a_pause_with_its_sentence(clock: FakeClock) -> None:
    stop = StopRequest()
    stop.request("first")
    stop.request("second")
    with pytest.raises(StopRequested, match="first"):
        clock.deadline(5, stop).pause(1)
    assert clock.waits == []


def test_inner_deadline_is_the_earlier_one(clock: FakeClock) -> None:
    assert clock.deadline(5).within(60, "inner").seconds == 5
    assert clock.deadline(60).within(5, "inner").seconds == 5


def test_child_stops_with_its_parent_but_not_the_other_way_round() -> None:
    parent = StopRequest()
    early, lonely = parent.child(), parent.child()
    lonely.request("alone")
    assert not parent.is_requested
    parent.request("all")
    assert (early.sentence, lonely.sentence) == ("all", "alone")
    assert parent.child().is_requested


# ------------------------------------------------------------------ the loop of all retries
EVEN = Pauses(first_s=2)


class Attempts:
    """Answers in turn; the last answer for ever. A string is NotYet, an error is raised, anything else returned."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.count = 0

    def __call__(self) -> object:
        answer = self.answers[min(self.count, len(self.answers) - 1)]
        self.count += 1
        if isinstance(answer, str):
            raise NotYet(answer)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_the_first_value_is_the_answer_without_a_pause(clock: FakeClock) -> None:
    assert retry(Attempts(None), clock.deadline(), EVEN) is None
    assert clock.waits == []


def test_it_is_repeated_until_there_is_a_value_and_each_reason_is_said_once(clock: FakeClock) -> None:
    said: list[str] = []
    attempts = Attempts("attaching", "attaching", CloudError("slow", code="Throttling", retryable=True), "attaching", 7)
    assert retry(attempts, clock.deadline(), EVEN, passes=passes_with_time, say=said.append) == 7
    assert said == ["attaching", "slow", "attaching"]
    assert clock.waits == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ("pauses", "lengths"),
    [
        (Pauses(first_s=2), [2, 2, 2, 2, 2]),
        (Pauses(first_s=0.5, longest_s=5), [0.5, 1, 2, 4, 5]),
        (Pauses(first_s=3, longest_s=1), [3, 3, 3, 3, 3]),
    ],
)
def test_pauses_are_even_or_double_up_to_a_limit(pauses: Pauses, lengths: list[float]) -> None:
    assert list(islice(pauses, 5)) == lengths


def test_spread_pauses_differ_and_stay_within_their_share() -> None:
    lengths = list(islice(Pauses(first_s=10, spread=0.3), 200))
    assert len(set(lengths)) > 100
    assert min(lengths) >= 7
    assert max(lengths) <= 13


def test_the_deadline_bounds_all_attempts_and_says_what_was_seen_last(clock: FakeClock) -> None:
    attempts = Attempts("dark", "still dark")
    with pytest.raises(DeadlineExceeded, match="test: not done after 5 s; last seen: still dark") as error:
        retry(attempts, clock.deadline(5), EVEN)
    assert error.value.seen == "still dark"
    assert clock.waits == [2, 2, 1]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([CloudError("no", code="AccessDenied", retryable=False, reason="access-denied")], "access-denied"),
        ([CloudError("no", code="RequestExpired", retryable=False, reason="clock-skew")], "clock-skew"),
        ([CloudError("no", code="Throttling", retryable=True)], "timed-out"),
        (["dark"], "timed-out"),
        ([CloudError("no", code="AccessDenied", retryable=False, reason="access-denied"), "dark"], "timed-out"),
    ],
)
def test_a_deadline_passes_for_the_reason_that_was_met_last(
    clock: FakeClock, answers: list[object], reason: str
) -> None:
    with pytest.raises(DeadlineExceeded) as over:
        retry(Attempts(*answers), clock.deadline(5), EVEN, passes=passes_with_time)
    assert over.value.reason == reason


def test_past_the_deadline_nothing_is_attempted(clock: FakeClock) -> None:
    deadline, attempts = clock.deadline(5), Attempts(7)
    clock.advance(5)
    with pytest.raises(DeadlineExceeded):
        retry(attempts, deadline, EVEN)
    assert attempts.count == 0


def test_a_stop_ends_the_pause_and_what_would_come_after_it(clock: FakeClock) -> None:
    stop, attempts = StopRequest(), Attempts("dark")
    clock.at(3, lambda: stop.request("SIGTERM received"))
    with pytest.raises(StopRequested, match="SIGTERM received"):
        retry(attempts, clock.deadline(60, stop), EVEN)
    assert attempts.count == 2
    with pytest.raises(StopRequested):
        retry(attempts, clock.deadline(60, stop), EVEN)
    assert attempts.count == 2


REFUSED = CloudError("no", code="ValidationError", retryable=False)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (REFUSED, never),
        (REFUSED, passes_with_time),
        (AgentError("no"), passes_with_time),
        (KeyError("no"), lambda *_: True),  # a defect
    ],
)
def test_an_error_that_does_not_pass_is_raised_at_once(
    clock: FakeClock, error: Exception, passes: Callable[[AgentError, float], bool]
) -> None:
    attempts = Attempts(error)
    with pytest.raises(type(error), match="no"):
        retry(attempts, clock.deadline(), EVEN, passes=passes)
    assert (attempts.count, clock.waits) == (1, [])


@pytest.mark.parametrize("code", sorted(PROPAGATION_CODES))
def test_a_role_that_has_not_spread_is_given_two_minutes(clock: FakeClock, code: str) -> None:
    refusal = CloudError("refused", code=code, retryable=False)
    assert retry(Attempts(*[refusal] * 50, 7), clock.deadline(600), EVEN, passes=passes_with_time) == 7
    began_s = clock.now_s
    with pytest.raises(CloudError, match="refused"):
        retry(Attempts(refusal), clock.deadline(600), EVEN, passes=passes_with_time)
    assert clock.now_s - began_s == PROPAGATION_S == 120


# ------------------------------------------------------------------ nothing is retried fast for long
ROOT = Path(bootstrap.__file__).parent
# Every other loop that waits, and what keeps it from trying the same again faster than once a second.
OTHER_LOOPS = {
    "claims/group.py:run": "a third of the launch hook's time-out",
    "claims/group.py:_run": "POLL_S",
    "fence/__main__.py:serve": "never tries: it ends processes, and sleeps until the next deadline",
    "lease/keeper.py:_run": "retry_period_s, a setting",
    "lease/takeover.py:_run": "each action but a publication that was lost ends in a pause; see below",
    "lease/takeover.py:_observe": "goes round only when somebody published a higher generation",
    "lease/worker.py:_exchange": "reads one answer",
    "machine/commands.py:_wait": "waits for one child",
    "machine/data_probe.py:answer": "reads what is there, OUTPUT_LIMIT_BYTES at most; select does not wait",
    "run/graph.py:run": "starts each step once",
    "run/graph.py:_settle": "waits for steps",
    "run/data_watch.py:_run": "POLL_S while a child runs, else PROBE_S",
    "run/heartbeat.py:_run": "every_s, a third of a setting that is at least 30",
    "run/log_copy.py:_run": "GATHER_S, or PAUSES after an error",
    "run/maintenance.py:_run": "LOOK_S",
    "run/pulse.py:_run": "INTERVAL_S",
    "run/supervise.py:run": "SHORTEST_PAUSE_S",
    "run/writer.py:_run": "PAUSES",
    "tell/outbox.py:attempt": "stops at the first message that is not taken",
    "tell/outbox.py:run": "PAUSES",
    "show/server.py:_open": "AGAIN_S",
    "show/server.py:serve": "ACCEPT_AGAIN_S after an error",
}


def pauses_of_the_agent() -> dict[str, Pauses]:
    names = [name for _, name, _ in pkgutil.walk_packages([str(ROOT)], "bootstrap.") if not name.endswith("__main__")]
    modules = [importlib.import_module(name) for name in names]
    named = {f"{each.__name__}.{name}": value for each in modules for name, value in vars(each).items()}
    return {name: value for name, value in named.items() if isinstance(value, Pauses)}


def is_slow_enough(pauses: Pauses) -> bool:
    """Once a second at most, from the sixth attempt on."""
    return next(islice(pauses, 5, None)) >= 1.0 and max(pauses.first_s, pauses.longest_s) * (1 - pauses.spread) >= 1.0


def test_every_loop_of_retries_slows_down_to_once_a_second() -> None:
    shipped = pauses_of_the_agent()
    assert len(shipped) > 10
    assert {name: value for name, value in shipped.items() if not is_slow_enough(value)} == {}
    assert not is_slow_enough(Pauses(first_s=0.2)), "broken on purpose"
    assert not is_slow_enough(Pauses(first_s=1.2, spread=0.3))


def test_every_pause_of_a_retry_has_a_name_and_every_other_loop_that_waits_is_known() -> None:
    loops, made = set(), []
    for file in ROOT.rglob("*.py"):
        path = str(file.relative_to(ROOT))
        tree = ast.parse(file.read_text(encoding="utf-8"))
        made += [path for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Pauses"]
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        loops |= {f"{path}:{node.name}" for node in functions for loop in ast.walk(node) if is_waiting(loop)}
    assert len(made) == len({id(value) for value in pauses_of_the_agent().values()}), "one is made where it is used"
    assert loops - {"base/retry.py:__iter__"} == set(OTHER_LOOPS)


def is_waiting(node: ast.AST) -> bool:
    """A loop that may go round for ever: its condition is no count."""
    if not isinstance(node, ast.While):
        return False
    return any(
        word in ast.unparse(node) for word in ("wait", "pause", "select", "accept", "self._observe(", "self._look(")
    )


# ------------------------------------------------------------------ the wall clock is for people
WALL_CLOCK = re.compile(
    r"\btime\.(time|time_ns|localtime|gmtime|ctime|strftime)\b|\b(now|utcnow|today|fromtimestamp)\("
    r"|\bst_[mac]time|\bget[mac]time\b|CLOCK_REALTIME|\bfrom time import"
)
READS_IT = {
    "base/clock.py": "the time stamps of state, log and lease records",
    "cloud/clients.py": "how far this clock is from AWS's, for the sentence of a refused signature",
    "tell/webhook.py": "the time stamp of a signature, by which a receiver refuses an old one",
    "machine/probes/file.py": "the age of a file at the first look",
}


def wall_clock(source: str) -> list[str]:
    """The lines of code that read it."""
    code = ast.unparse(ast.parse(source))  # without comments
    return [line for line in code.splitlines() if WALL_CLOCK.search(line)]


def test_nothing_is_decided_by_the_wall_clock() -> None:
    """What waits in the standard library does not, either: locks time out by CLOCK_MONOTONIC (python/cpython#28683, in
    Python 3.11), subprocess and queue by time.monotonic."""
    found = {str(file.relative_to(ROOT)) for file in ROOT.rglob("*.py") if wall_clock(file.read_text(encoding="utf-8"))}
    assert found == set(READS_IT)


@pytest.mark.parametrize(
    "planted",
    [
        "due = time.time() + 5",
        "due = datetime.now(UTC) + lease",
        "age = os.stat(path).st_mtime",
        "now = time.clock_gettime(time.CLOCK_REALTIME)",
        "from time import time",
    ],
)
def test_a_wall_clock_that_is_planted_is_seen(planted: str) -> None:
    assert wall_clock(planted) == [planted]
