"""The site wins over the boot document for what a deployment changes at once, and its absence costs a bounded time."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from bootstrap.base.clock import StopRequest
from bootstrap.base.errors import CloudError, StopRequested
from bootstrap.run.site import SITE_S, sited
from tests.kit.clock import FakeClock
from tests.kit.cloud import cloud_error
from tests.kit.documents import document, document_tree, merged

HERE = "us-east-1a"
ADDRESS = {"network_interface_id": "eni-2", "address": "10.0.100.77"}


def site(**changes: Any) -> str:
    tree = document_tree()
    own = {key: tree[key] for key in ("group", "zones", "connection")}
    storage = {key: tree["file_system"][key] for key in ("kind", "id", "mount_targets")}
    return json.dumps(merged({**own, "file_system": storage}, changes))


def zone(**changes: Any) -> dict[str, Any]:
    return {**document_tree()["zones"][0], **changes}


def answers(*given: str | CloudError) -> Callable[[], str]:
    left = list(given)

    def read() -> str:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, CloudError):
            raise answer
        return answer

    return read


def test_what_a_deployment_changes_at_once_is_the_sites_and_the_rest_the_documents(clock: FakeClock) -> None:
    text = site(
        zones=[zone(**ADDRESS), zone(name="us-east-1b")],
        group={"launch_hook_timeout_s": 60},
        connection={"name": "other.lab.internal"},
        file_system={"mount_targets": [{"zone": HERE, "address": "10.0.0.99"}]},
    )
    found = sited(document(), HERE, "", answers(text), clock.deadline(SITE_S))
    changes = {
        "zones": [zone(**ADDRESS), zone(name="us-east-1b")],
        "group": {"launch_hook_timeout_s": 60},
        "connection": {"name": "other.lab.internal"},
        "file_system": {"mount_targets": [{"zone": HERE, "address": "10.0.0.99"}]},
    }
    assert found.document == document(**changes)
    assert (found.text, found.sentence, clock.waits) == (text, "as /soloist/demo/site says", [])


def test_mount_targets_of_another_file_system_are_not_taken(clock: FakeClock) -> None:
    text = site(file_system={"id": "fs-2", "mount_targets": [{"zone": HERE, "address": "10.0.0.99"}]})
    assert sited(document(), HERE, "", answers(text), clock.deadline(SITE_S)).document == document()


def test_keys_of_a_later_release_are_ignored(clock: FakeClock) -> None:
    text = site(volume={"id": "vol-1"}, zones=[zone(**ADDRESS, prefix="x")], group={"warm_pool": True})
    assert sited(document(), HERE, "", answers(text), clock.deadline(SITE_S)).document.zones[0].address == "10.0.100.77"


REFUSED = cloud_error("AccessDeniedException", retryable=False)
AWAY = cloud_error("EndpointConnectionError")


@pytest.mark.parametrize(
    ("answer", "says", "longest_s"),
    [
        ("", "it is not there", 0),
        ("<html>", "site: ", 0),
        (site(connection={"kind": "rfc2136"}), "connection.kind: must be one of route53", 0),
        (site(zones=[zone(address="10.9.9.9")]), "10.9.9.9 is not in 10.0.100.0/24", 0),
        (REFUSED, "AccessDeniedException", SITE_S),
        (AWAY, "EndpointConnectionError", SITE_S),
        (cloud_error("ValidationException", retryable=False), "ValidationException", 0),
    ],
)
def test_without_a_site_the_document_holds_and_one_sentence_says_why(
    clock: FakeClock, answer: str | CloudError, says: str, longest_s: float
) -> None:
    found = sited(document(), HERE, "", answers(answer), clock.deadline(SITE_S))
    assert (found.document, found.text) == (document(), "")
    assert found.sentence.startswith("as this version was deployed, without /soloist/demo/site: ")
    assert says in found.sentence
    assert sum(clock.waits) <= longest_s


def test_an_answer_that_comes_late_is_taken(clock: FakeClock) -> None:
    found = sited(document(), HERE, "", answers(AWAY, REFUSED, site(zones=[zone(**ADDRESS)])), clock.deadline(SITE_S))
    assert found.document.zones[0].address == "10.0.100.77"


def test_a_zone_that_the_site_does_not_have_yet_is_looked_for_again(clock: FakeClock) -> None:
    """Launched in a zone that the group had for a moment only, or before the parameter spread."""
    later = site(zones=[zone(), zone(name="us-east-1d", address="10.0.100.11")])
    found = sited(document(), "us-east-1d", "", answers(site(), site(), later), clock.deadline(SITE_S))
    assert [each.name for each in found.document.zones] == [HERE, "us-east-1d"]
    assert len(clock.waits) == 2


def test_a_zone_that_was_removed_is_not_taken_from_the_document(clock: FakeClock) -> None:
    found = sited(document(), HERE, "", answers(site(zones=[zone(name="us-east-1b")])), clock.deadline(SITE_S))
    assert [each.name for each in found.document.zones] == ["us-east-1b"]
    assert sum(clock.waits) <= SITE_S


def test_a_run_after_a_ready_one_keeps_its_site_and_asks_nobody(clock: FakeClock) -> None:
    kept = site(zones=[zone(**ADDRESS)])
    found = sited(document(), HERE, kept, answers(cloud_error("asked")), clock.deadline(SITE_S))
    assert (found.document.zones[0].address, found.text) == ("10.0.100.77", kept)
    spoiled = sited(document(), HERE, kept[:-9], answers(site()), clock.deadline(SITE_S))
    assert spoiled.document == document()


def test_a_stop_ends_the_wait(clock: FakeClock) -> None:
    stop = StopRequest()
    deadline = clock.deadline(SITE_S)
    deadline.stop = stop
    stop.request("asked")
    with pytest.raises(StopRequested):
        sited(document(), HERE, "", answers(AWAY), deadline)
