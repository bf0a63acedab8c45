"""The lease directory's child as a process: bounded, killed when it hangs, and never an answer to another question."""

import sys
import threading
import time
from pathlib import Path

from bootstrap.base.clock import SystemClock
from bootstrap.lease.rules.observation import NoAnswer
from bootstrap.lease.worker import LeaseWorker

SLOW_ONCE = """
import json, os, sys, time
for line in sys.stdin:
    number = json.loads(line)["number"]
    if not os.path.exists({flag!r}):
        open({flag!r}, "w").close()
        time.sleep(60)
    print(json.dumps({{"number": number, "pid": os.getpid()}}), flush=True)
"""


def worker_of(program: str) -> LeaseWorker:
    return LeaseWorker(SystemClock(), (sys.executable, "-c", program))


def test_one_child_answers_many_questions(tmp_path: Path) -> None:
    worker = LeaseWorker(SystemClock())
    worker.start()
    for _ in range(3):
        assert worker.ask(10, verb="look", root=str(tmp_path)) == {"names": [], "text": ""}
    worker.close()


def test_child_that_hangs_is_killed_and_the_next_question_gets_a_new_one(tmp_path: Path) -> None:
    worker = worker_of(SLOW_ONCE.format(flag=str(tmp_path / "flag")))
    began_s = time.monotonic()
    hung = worker.ask(0.5, verb="look", root="/")
    assert hung == NoAnswer(reason="the lease directory did not answer look within 0 s")
    assert time.monotonic() - began_s < 5
    again = worker.ask(10, verb="look", root="/")
    assert not isinstance(again, NoAnswer)
    worker.close()


def test_whoever_waits_for_another_waits_within_its_own_time(tmp_path: Path) -> None:
    worker = worker_of("import time\ntime.sleep(60)")
    first = threading.Thread(target=worker.ask, args=(3.0,), kwargs={"verb": "look"})
    first.start()
    time.sleep(0.3)
    began_s = time.monotonic()
    second = worker.ask(0.5, verb="look")
    assert isinstance(second, NoAnswer)
    assert "busy with another request" in second.reason
    assert time.monotonic() - began_s < 2
    first.join()
    worker.close()


def test_child_that_ends_or_speaks_nonsense_is_no_answer(tmp_path: Path) -> None:
    for program, words in (
        ("import sys\nsys.stdin.readline()", "it ended"),
        ("input()\nprint('{\"number\": 7}')", "an answer to another question"),
        ("input()\nprint('nonsense')", "process failed"),
    ):
        answer = worker_of(program).ask(10, verb="look")
        assert isinstance(answer, NoAnswer), program
        assert words in answer.reason
    missing = LeaseWorker(SystemClock(), ("/nowhere/python",)).ask(10, verb="look")
    assert isinstance(missing, NoAnswer)


def test_failure_of_the_file_system_is_no_answer_and_the_child_lives_on(tmp_path: Path) -> None:
    worker = LeaseWorker(SystemClock())
    failed = worker.ask(10, verb="look", root=str(tmp_path / "nowhere"))
    assert isinstance(failed, NoAnswer)
    assert failed.reason.startswith("look: ")
    assert worker.ask(10, verb="look", root=str(tmp_path)) == {"names": [], "text": ""}
    worker.close()
