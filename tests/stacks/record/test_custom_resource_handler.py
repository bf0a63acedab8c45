"""The Lambda function inside the template: every request answered, the live record never overwritten.

Two kinds of tests. Against the strict AWS (moto with the lab's rules): what a sequence of requests leaves behind, and
that nothing but the name itself is touched. Against scripted answers (botocore's Stubber, which also checks the exact
parameters sent): every refusal of Route 53.
"""

import ast
import json
import sys
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber

from stacks import custom_resource_handler as handler
from tests.stacks.record.requests_of_stack import CONTEXT, NAME, event, record_set


def ask(answers, request):
    """What CloudFormation was answered to this request."""
    handler.on_event(request, CONTEXT)
    return answers[-1]


# --- against the strict AWS: what is left behind -----------------------------------------------------------------


def test_creation_makes_the_record_with_the_first_zones_address(zone, answers):
    handler.on_event(event("Create", zone.id), CONTEXT)
    assert zone.value() == ["10.0.100.10"]
    assert answers == [
        {
            "Status": "SUCCESS",
            "Reason": "",
            "PhysicalResourceId": f"{zone.id}/{NAME}",
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "Record",
        }
    ]


def test_creation_leaves_a_live_record_alone(zone, answers):
    zone.change(("CREATE", record_set("192.0.2.7")))
    handler.on_event(event("Create", zone.id), CONTEXT)
    assert zone.value() == ["192.0.2.7"]
    assert answers[0]["Status"] == "SUCCESS"
    assert answers[0]["PhysicalResourceId"] == f"{zone.id}/{NAME}/found"


OTHER_KINDS = [
    {
        "Name": NAME,
        "Type": "A",
        "TTL": 10,
        "SetIdentifier": "one",
        "Weight": 1,
        "ResourceRecords": [{"Value": "10.0.100.10"}],
    },
    {
        "Name": NAME,
        "Type": "A",
        "AliasTarget": {"HostedZoneId": "Z2", "DNSName": "lb.example.com.", "EvaluateTargetHealth": False},
    },
]


@pytest.mark.parametrize("present", OTHER_KINDS, ids=["one of a set", "alias"])
def test_a_record_of_another_kind_fails_the_first_deployment_and_no_deletion_takes_it_away(zone, answers, present):
    zone.change(("CREATE", present))
    answer = ask(answers, event("Create", zone.id))
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", handler.NOT_CREATED)
    assert "is an alias or one of a set of records; remove it" in answer["Reason"]
    for made in (f"{zone.id}/{NAME}", f"{zone.id}/{NAME}/found"):
        assert ask(answers, event("Delete", zone.id, PhysicalResourceId=made))["Status"] == "SUCCESS"
    zone.change(("DELETE", present))  # it is still there


def test_creation_is_not_misled_by_the_next_name_in_the_listing(zone, answers):
    zone.change(("CREATE", record_set("192.0.2.7", name="z" + NAME)))
    handler.on_event(event("Create", zone.id), CONTEXT)
    assert zone.value() == ["10.0.100.10"]


def test_an_update_never_touches_the_value(zone, answers):
    handler.on_event(event("Create", zone.id), CONTEXT)
    zone.change(("DELETE", record_set("10.0.100.10")), ("CREATE", record_set("10.0.101.10")))
    update = event("Update", zone.id)
    update["ResourceProperties"] |= {"TtlSeconds": "60", "Addresses": ["10.9.9.9"]}
    handler.on_event(update, CONTEXT)
    assert zone.value() == ["10.0.101.10"]
    assert answers[1]["PhysicalResourceId"] == answers[0]["PhysicalResourceId"], "else CloudFormation would delete it"


def test_an_update_to_another_name_is_a_replacement(zone, answers):
    handler.on_event(event("Update", zone.id, PhysicalResourceId=f"{zone.id}/old.example.internal"), CONTEXT)
    assert answers[0]["PhysicalResourceId"] == f"{zone.id}/{NAME}"
    assert zone.value() == ["10.0.100.10"]


@pytest.mark.parametrize(
    ("made", "value", "left"),
    [
        pytest.param(f"{{zone}}/{NAME}", "10.0.101.10", None, id="whatever value the agent gave it"),
        pytest.param(f"{{zone}}/{NAME}/found", "192.0.2.7", ["192.0.2.7"], id="found, and somebody else's"),
        pytest.param(f"{{zone}}/{NAME}/found", "10.0.101.10", None, id="found, and this service's"),
        pytest.param("not-created", "192.0.2.7", ["192.0.2.7"], id="after a creation that failed"),
    ],
)
def test_deletion_removes_what_is_this_services(zone, answers, made, value, left):
    zone.change(("CREATE", record_set(value)))
    handler.on_event(event("Delete", zone.id, PhysicalResourceId=made.format(zone=zone.id)), CONTEXT)
    assert zone.value() == left
    assert answers[0]["Status"] == "SUCCESS"


def test_deletion_of_what_is_gone_succeeds(zone, answers):
    handler.on_event(event("Delete", zone.id), CONTEXT)
    handler.on_event(event("Delete", "ZNOSUCHZONE"), CONTEXT)
    assert [each["Status"] for each in answers] == ["SUCCESS", "SUCCESS"]


def test_every_request_may_be_repeated(zone, answers):
    for kind in ("Create", "Create", "Update", "Update", "Delete", "Delete"):
        handler.on_event(event(kind, zone.id), CONTEXT)
    assert {each["Status"] for each in answers} == {"SUCCESS"}
    assert zone.value() is None


def test_processes_are_suspended_on_creation_and_on_every_update(answers, monkeypatch):
    client = boto3.client("autoscaling")
    asked = {"AutoScalingGroupName": "soloist-monitor", "ScalingProcesses": ["AZRebalance"]}
    with Stubber(client) as stub:
        monkeypatch.setattr(handler.boto3, "client", lambda *_, **__: client)
        for kind in ("Create", "Update"):
            stub.add_response("suspend_processes", {}, asked)
            request = event(kind, ResourceType="Custom::SuspendedProcesses")
            request["ResourceProperties"] = {"AutoScalingGroupName": "soloist-monitor", "Processes": ["AZRebalance"]}
            handler.on_event(request, CONTEXT)
        stub.assert_no_pending_responses()
        handler.on_event(request | {"RequestType": "Delete"}, CONTEXT)  # the stub has no answer left
    assert [each["Status"] for each in answers] == ["SUCCESS"] * 3
    assert {each["PhysicalResourceId"] for each in answers} == {"soloist-monitor"}


# --- against scripted answers: what Route 53 refuses -------------------------------------------------------------


@pytest.fixture
def route53(monkeypatch):
    """A Route 53 client that gives scripted answers and checks what it is asked."""
    client = boto3.client("route53")
    monkeypatch.setattr(handler.boto3, "client", lambda *_, **__: client)
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def listing(stub, *records):
    answer = {"ResourceRecordSets": list(records), "IsTruncated": False, "MaxItems": "1"}
    asked = {"HostedZoneId": "Z1", "StartRecordName": NAME, "StartRecordType": "A", "MaxItems": "1"}
    stub.add_response("list_resource_record_sets", answer, asked)


def batch(action, record):
    changes = [{"Action": action, "ResourceRecordSet": record}]
    return {"HostedZoneId": "Z1", "ChangeBatch": {"Comment": "soloist deployment", "Changes": changes}}


def accepted(stub, action, record):
    answer = {"ChangeInfo": {"Id": "C1", "Status": "PENDING", "SubmittedAt": "2026-11-20T00:00:00Z"}}
    stub.add_response("change_resource_record_sets", answer, batch(action, record))


def refused(stub, operation, code, message="refused", asked=None):
    stub.add_client_error(operation, service_error_code=code, service_message=message, expected_params=asked)


FIRST = {"Name": NAME, "Type": "A", "TTL": 10, "ResourceRecords": [{"Value": "10.0.100.10"}]}


def test_creation_lost_to_someone_faster_keeps_their_record(route53, answers):
    listing(route53)
    refused(route53, "change_resource_record_sets", "InvalidChangeBatch", "already exists", batch("CREATE", FIRST))
    listing(route53, record_set("192.0.2.7"))
    assert ask(answers, event("Create"))["Status"] == "SUCCESS"
    assert answers[0]["PhysicalResourceId"] == f"Z1/{NAME}/found"


def test_creation_refused_for_another_reason_fails_with_it(route53, answers):
    listing(route53)
    refused(route53, "change_resource_record_sets", "InvalidChangeBatch", "conflicts with a CNAME")
    listing(route53)
    assert ask(answers, event("Create"))["Status"] == "FAILED"
    assert "conflicts with a CNAME" in answers[0]["Reason"]
    assert "2026/11/20/stream" in answers[0]["Reason"]
    assert answers[0]["PhysicalResourceId"] == "not-created", "the deletion that follows must not touch the record"


def test_deletion_reads_again_when_the_value_changed_in_between(route53, answers):
    listing(route53, record_set("10.0.100.10"))
    refused(route53, "change_resource_record_sets", "InvalidChangeBatch", "values provided do not match")
    listing(route53, record_set("10.0.101.10"))
    accepted(route53, "DELETE", record_set("10.0.101.10"))
    assert ask(answers, event("Delete"))["Status"] == "SUCCESS"


def test_deletion_gives_up_after_the_second_change_and_says_so(route53, answers):
    for value in ("10.0.100.10", "10.0.101.10"):
        listing(route53, record_set(value))
        refused(route53, "change_resource_record_sets", "InvalidChangeBatch", f"not {value}")
    assert ask(answers, event("Delete"))["Status"] == "FAILED"
    assert "not 10.0.101.10" in answers[0]["Reason"]
    assert answers[0]["PhysicalResourceId"] == f"Z1/{NAME}"


def test_deletion_succeeds_when_the_zone_went_in_between(route53, answers):
    listing(route53, record_set("10.0.100.10"))
    refused(route53, "change_resource_record_sets", "NoSuchHostedZone")
    assert ask(answers, event("Delete"))["Status"] == "SUCCESS"


def test_a_found_alias_is_never_ours(route53, answers):
    alias = {"HostedZoneId": "Z2", "DNSName": "lb.example.com", "EvaluateTargetHealth": False}
    listing(route53, {"Name": NAME + ".", "Type": "A", "AliasTarget": alias})
    assert ask(answers, event("Delete", PhysicalResourceId=f"Z1/{NAME}/found"))["Status"] == "SUCCESS"


def test_a_role_that_is_not_known_everywhere_yet_is_waited_for(route53, answers, waits):
    refused(route53, "list_resource_record_sets", "AccessDenied")
    listing(route53)
    refused(route53, "change_resource_record_sets", "AccessDenied")
    listing(route53)
    accepted(route53, "CREATE", FIRST)
    assert ask(answers, event("Create"))["Status"] == "SUCCESS"
    assert waits == [5, 10]


def test_a_role_that_stays_denied_is_answered_with_its_reason(route53, answers, waits):
    for _ in range(4):
        refused(route53, "list_resource_record_sets", "AccessDenied", "not authorized to perform")
    assert ask(answers, event("Delete"))["Status"] == "FAILED"
    assert "not authorized to perform" in answers[0]["Reason"]
    assert waits == [5, 10, 20]


def test_a_request_nobody_knows_is_answered(answers):
    assert ask(answers, event("Create", ResourceType="Custom::Other"))["Status"] == "FAILED"
    assert "Custom::Other" in answers[0]["Reason"]


def test_a_long_reason_fits_into_an_answer(route53, answers):
    refused(route53, "list_resource_record_sets", "InvalidInput", "x" * 10_000)
    handler.on_event(event("Create"), CONTEXT)
    assert len(json.dumps(answers[0])) < 4096, "CloudFormation takes at most 4 KB"


def test_the_inlined_sources_are_of_this_file_and_need_only_what_lambda_has(template):
    whole = ast.parse(Path(handler.__file__).read_text(encoding="utf-8"))
    for node in ast.walk(whole):
        if ast.get_docstring(node) if isinstance(node, ast.Module | ast.FunctionDef) else None:
            node.body = node.body[1:]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    *statements, table = [ast.dump(one) for one in whole.body]
    assert "RESOURCES" in table
    inlined = set()
    handlers = {
        each["Properties"]["ServiceToken"]["Fn::GetAtt"][0]
        for each in template.resources.values()
        if each["Type"].startswith("Custom::")
    }
    for function in (template.resources[name] for name in handlers):
        source = function["Properties"]["Code"]["ZipFile"]
        assert len(source) < 4_000_000, "AWS::Lambda::Function Code: ZipFile is at most 4 MB"
        *own, own_table = [ast.dump(one) for one in ast.parse(source).body]
        assert own == [one for one in statements if one in own], "all but the words and what another type needs"
        assert "RESOURCES" in own_table
        inlined.update(own)
        modules = {
            (alias.name if isinstance(node, ast.Import) else str(node.module)).split(".")[0]
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert modules <= set(sys.stdlib_module_names) | {"boto3", "botocore"}
    assert inlined == set(statements)
