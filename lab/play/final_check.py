"""Asks the service at the end of a run what it has stored.

For: the demo's verdict and the checker of `lab.chaos`. Guarantees: the service is asked at the address that its name
has now; the question is repeated until it is answered or `CHECK_LIMIT_S` is over. Does not: judge; `lab.client.check`
compares, `lab.chaos.checker` looks for duplicates as well.
"""

from lab.base.errors import LabTimeout
from lab.base.waiting import wait_for
from lab.client.check import CheckFailed, Counts, Verdict, compare, count_stored
from lab.play.stage import Stage

CHECK_LIMIT_S = 20.0


def ask_service(stage: Stage) -> Counts:
    """How often the service has stored each number, by writer. Raises LabTimeout with the last failure."""
    trouble: list[str] = []

    def ask() -> tuple[Counts] | None:  # in a tuple, because an empty answer is an answer
        try:
            return (count_stored(stage.lab.resolve(stage.record_name)),)
        except CheckFailed as failure:
            trouble.append(str(failure))
            return None

    return wait_for(ask, "the service's points", deadline_s=CHECK_LIMIT_S, describe=lambda: trouble[-1])[0]


def check_losses(stage: Stage) -> Verdict:
    """End the client, then compare what it was acknowledged with what is stored; no answer counts as all lost."""
    stage.scene = "check"
    stage.say("the client is powered off; the service is asked for every write that it has stored")
    stage.lab.client.kill()  # an acknowledgement that was not reported before this does not count
    acknowledged = stage.lab.ledger.acknowledged()
    try:
        return compare(acknowledged, ask_service(stage))
    except LabTimeout as error:
        stage.say(str(error))
        return compare(acknowledged, {})
