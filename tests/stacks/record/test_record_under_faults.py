"""The record's custom resource while Route 53 fails: CloudFormation is answered once, nothing foreign is touched."""

import urllib.error

import pytest

from lab.aws import Fault
from stacks import custom_resource_handler as handler
from stacks.inline_resource import FUNCTION_TIMEOUT_S
from tests.stacks.record.requests_of_stack import CONTEXT, NAME, event, record_set

CHANGE, LIST = "ChangeResourceRecordSets", "ListResourceRecordSets"


def neighbours():
    text = {"Name": NAME + ".", "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": '"kept"'}]}
    return [text, record_set("192.0.2.1", "a" + NAME + "."), record_set("192.0.2.2", "z" + NAME + ".")]


def everything(zone):
    found = handler.boto3.client("route53").list_resource_record_sets(HostedZoneId=zone.id)["ResourceRecordSets"]
    return sorted((each["Name"], each["Type"]) for each in found if each["Type"] not in ("NS", "SOA"))


def test_a_life_of_the_record_touches_no_neighbour(zone, answers):
    for each in neighbours():
        zone.change(("CREATE", each))
    before = everything(zone)
    for kind in ("Create", "Update", "Delete"):
        handler.on_event(event(kind, zone.id), CONTEXT)
        assert set(before) <= set(everything(zone))
    assert everything(zone) == before
    assert [each["Status"] for each in answers] == ["SUCCESS"] * 3


def test_a_creation_whose_answer_was_lost_is_found_and_still_removed_with_the_stack(zone, answers):
    fault = zone.aws.inject("answer-lost", service="route53", action=CHANGE)
    handler.on_event(event("Create", zone.id), CONTEXT)
    assert fault.hits == 1
    assert zone.value() == ["10.0.100.10"]
    zone.change(("DELETE", record_set("10.0.100.10")), ("CREATE", record_set("10.0.101.10")))  # the agent, since
    handler.on_event(event("Delete", zone.id, PhysicalResourceId=answers[0]["PhysicalResourceId"]), CONTEXT)
    assert zone.value() is None
    assert [each["Status"] for each in answers] == ["SUCCESS"] * 2


def test_a_deletion_whose_answer_was_lost_is_a_success(zone, answers):
    handler.on_event(event("Create", zone.id), CONTEXT)
    fault = zone.aws.inject("answer-lost", service="route53", action=CHANGE)
    handler.on_event(event("Delete", zone.id), CONTEXT)
    assert fault.hits == 1
    assert zone.value() is None
    assert [each["Status"] for each in answers] == ["SUCCESS"] * 2


LASTING = [
    ({"preset": "denied"}, "AccessDenied"),
    ({"preset": "throttled"}, "Throttling"),
    ({"preset": "api-away"}, "Connection was closed"),
    ({"preset": "internal-error"}, "InternalFailure"),
    ({"code": "PriorRequestNotComplete"}, "PriorRequestNotComplete"),
    ({"code": "AccessDeniedException"}, "AccessDeniedException"),
    ({"code": "InvalidInput"}, "InvalidInput"),
]


@pytest.mark.parametrize("action", [LIST, CHANGE])
@pytest.mark.parametrize(("fault", "said"), LASTING, ids=[said for _, said in LASTING])
@pytest.mark.parametrize("kind", ["Create", "Delete"])
def test_whatever_lasts_is_answered_once_with_its_reason_and_changes_nothing(zone, answers, kind, fault, said, action):
    if kind == "Delete":
        zone.change(("CREATE", record_set("10.0.101.10")))
    if "preset" in fault:
        zone.aws.inject(fault["preset"], service="route53", action=action, count=None)
    else:
        zone.aws.faults.add(Fault(service="route53", action=action, count=None, **fault))
    handler.on_event(event(kind, zone.id), CONTEXT)
    (answer,) = answers
    assert answer["Status"] == "FAILED"
    assert said in answer["Reason"]
    assert "(log stream 2026/11/20/stream)" in answer["Reason"]
    assert answer["PhysicalResourceId"] == ("not-created" if kind == "Create" else f"{zone.id}/{NAME}")
    zone.aws.faults.clear()
    assert zone.value() == (None if kind == "Create" else ["10.0.101.10"])


@pytest.mark.parametrize("action", [LIST, CHANGE])
@pytest.mark.parametrize("preset", ["denied", "throttled", "api-away", "internal-error"])
def test_what_passes_is_waited_for(zone, answers, preset, action):
    zone.aws.inject(preset, service="route53", action=action, count=1)
    handler.on_event(event("Create", zone.id), CONTEXT)
    handler.on_event(event("Delete", zone.id), CONTEXT)
    assert [each["Status"] for each in answers] == ["SUCCESS"] * 2
    assert zone.value() is None


def test_the_function_lives_longer_than_its_calls_and_waits_so_that_the_answer_is_always_sent():
    calls = 4  # of a deletion whose value changed in between
    each_s = handler.CALLS.retries["total_max_attempts"] * (handler.CALLS.connect_timeout + handler.CALLS.read_timeout)
    total_s = calls * each_s + sum(handler.PERMISSION_WAITS_S) + handler.ANSWER_TIMEOUT_S
    assert total_s < FUNCTION_TIMEOUT_S


@pytest.mark.parametrize(
    "error", [TimeoutError("timed out"), ConnectionResetError("reset"), urllib.error.URLError("no route")]
)
def test_an_undelivered_answer_fails_the_invocation_and_the_repetition_answers(zone, monkeypatch, answers, error):
    delivered = handler.urllib.request.urlopen

    def lost(request, timeout):
        assert timeout == handler.ANSWER_TIMEOUT_S
        raise error

    monkeypatch.setattr(handler.urllib.request, "urlopen", lost)
    with pytest.raises(type(error)):
        handler.on_event(event("Create", zone.id), CONTEXT)
    monkeypatch.setattr(handler.urllib.request, "urlopen", delivered)
    handler.on_event(event("Create", zone.id), CONTEXT)
    assert [each["Status"] for each in answers] == ["SUCCESS"]
    assert zone.value() == ["10.0.100.10"]
