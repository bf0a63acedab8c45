"""The alarms of the watch stack: what they look at, when they come, whom they tell; and that the topic takes them."""

import json

import pytest

from bootstrap.base.errors import Reason
from services.load import parse_service
from stacks.alarms import alarms_of, watchdog_alarms
from stacks.storage.kinds import watch_storage

ALARM = "AWS::CloudWatch::Alarm"


@pytest.fixture(scope="module")
def watch(synth_watch):
    return synth_watch()


def alarm(template, name):
    """The properties of one alarm, by its name without the service's."""
    (found,) = [
        each["Properties"]
        for each in template.of_type(ALARM).values()
        if each["Properties"]["AlarmName"] == f"soloist-monitor-{name}"
    ]
    return found


def rule(template, name):
    """What is compared with what, and for how long."""
    keys = ("MetricName", "Statistic", "ComparisonOperator", "Threshold", "Period", "EvaluationPeriods")
    found = alarm(template, name)
    return (*(found[key] for key in keys), found.get("DatapointsToAlarm"), found["TreatMissingData"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nobody-serves", ("Serving", "Maximum", "LessThanThreshold", 1, 60, 2, None, "breaching")),
        ("boot-failed", ("BootFailed", "Sum", "GreaterThanOrEqualToThreshold", 1, 60, 5, 1, "notBreaching")),
        ("crash-loop", ("BootFailed", "Sum", "GreaterThanOrEqualToThreshold", 1, 60, 30, 2, "notBreaching")),
        ("takeover", ("Takeover", "Sum", "GreaterThanOrEqualToThreshold", 1, 60, 5, 1, "notBreaching")),
        ("degraded", ("Troubles", "Maximum", "GreaterThanThreshold", 0, 60, 5, None, "ignore")),
        ("connection-contested", ("Trouble", "Maximum", "GreaterThanThreshold", 0, 60, 5, 1, "notBreaching")),
        ("record-of-another-kind", ("Trouble", "Maximum", "GreaterThanThreshold", 0, 60, 5, 1, "notBreaching")),
    ],
)
def test_each_alarm_looks_at_its_metric(watch, name, expected):
    assert rule(watch, name) == expected


@pytest.mark.parametrize("name", ["three zones", "existing everything"])
def test_the_file_system_is_found_by_the_parameter_that_the_services_stack_keeps(synth, synth_watch, name):
    watch = synth_watch(name)
    given = watch.body["Parameters"]["Parts"]
    assert given["Type"] == "AWS::SSM::Parameter::Value<List<String>>"
    (kept,) = [
        each["Properties"]
        for each in synth(name).of_type("AWS::SSM::Parameter").values()
        if each["Properties"]["Name"] == given["Default"]
    ]
    (separator, told), own = kept["Value"]["Fn::Join"], synth(name).body["Outputs"]["FileSystemId"]["Value"]
    if isinstance(own, str):  # an existing one: the CDK joins what it knows
        told = told[0].split(separator)
    assert (separator, told[0]) == (",", own)
    assert alarm(watch, "file-system-busy")["Dimensions"] == [
        {"Name": "FileSystemId", "Value": {"Fn::Select": [0, {"Ref": "Parts"}]}}
    ]


def test_only_a_bursting_file_system_has_credits_to_watch(synth_watch, watch):
    def found(template):
        return [
            each["Properties"]["AlarmName"].removeprefix("soloist-monitor-")
            for each in template.of_type(ALARM).values()
        ]

    bursting = synth_watch(file_system={"throughput": "bursting"})
    assert set(found(bursting)) - set(found(watch)) == {"file-system-credits"}
    assert alarm(bursting, "file-system-credits")["Threshold"] == 100 * 2**20 * 3600
    existing = synth_watch("existing everything", file_system={"throughput": "bursting"})
    assert "file-system-credits" not in found(existing), "its mode is not known"


@pytest.mark.parametrize(
    ("lease", "late_s"), [({}, 35), ({"renew_deadline_s": 60, "request_timeout_s": 15, "lease_duration_s": 120}, 45)]
)
def test_the_lease_is_late_when_one_more_request_may_take_all_that_is_left(synth_watch, lease, late_s):
    found = alarm(synth_watch(lease=lease), "lease-age")
    assert (found["Statistic"], found["ComparisonOperator"], found["Threshold"]) == (
        "Maximum",
        "GreaterThanThreshold",
        late_s,
    )
    assert f"for {late_s} s" in found["AlarmDescription"]


def test_every_alarm_is_of_this_service_and_tells_its_topic_when_it_begins(watch):
    alarms = [each["Properties"] for each in watch.of_type(ALARM).values()]
    assert alarms
    for each in alarms:
        assert each["AlarmName"].startswith("soloist-monitor-")
        own = {"Name": "Service", "Value": "monitor"}
        efs = {"Name": "FileSystemId", "Value": {"Fn::Select": [0, {"Ref": "Parts"}]}}
        watchdog = {"Name": "FunctionName", "Value": "soloist-monitor-watchdog"}
        allowed = (("soloist", own), ("AWS/EFS", efs), ("AWS/Lambda", watchdog))
        assert (each["Namespace"], each["Dimensions"][0]) in allowed
        (topic,) = each["AlarmActions"]
        assert topic["Fn::Join"][1][-1] == ":soloist-monitor"
        assert each["AlarmName"].endswith("-takeover") or each["OKActions"] == [topic]
    assert "OKActions" not in alarm(watch, "takeover"), "a takeover has no end"


def test_the_record_alarms_name_a_reason_that_the_agent_gives(watch):
    for name in ("connection-contested", "record-of-another-kind"):
        assert name in Reason.__args__
        assert alarm(watch, name)["Dimensions"][1] == {"Name": "Reason", "Value": name}


def test_the_watch_stack_takes_nothing_from_the_other_one_but_names(watch, template):
    text = json.dumps(watch.body)
    assert "Fn::ImportValue" not in text
    assert not any("Export" in each for each in template.body["Outputs"].values())


def test_changing_an_alarm_leaves_the_services_template_as_it_is(synth, synth_watch, template, watch, monkeypatch):
    """And the group with it."""
    import stacks.watch_stack

    fewer = stacks.watch_stack.alarms_of
    monkeypatch.setattr(stacks.watch_stack, "alarms_of", lambda service: fewer(service)[1:])
    key = {"state_server": {"port": 9480}}  # the default, so another key and the same service file
    assert len(synth_watch(**key).of_type(ALARM)) == len(watch.of_type(ALARM)) - 1
    assert synth(**key).body == template.body


def test_alarms_of_this_account_may_publish_to_the_topic(any_template):
    """The policy of the topic takes the place of the default one, which lets everybody of the account in."""
    statements = any_template.properties("AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    (topic,) = any_template.of_type("AWS::SNS::Topic")
    allowed = [each for each in statements if each["Effect"] == "Allow"]
    assert allowed == [
        {
            "Sid": "AllowAlarms",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": {"Ref": topic},
            "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
        }
    ]


def test_the_watchdogs_own_alarms_look_at_its_function(service_tree):
    alarms = {each.name: each for each in watchdog_alarms(parse_service(service_tree("one zone"), source="test"))}
    silent = alarms["watchdog-silent"]
    assert (silent.namespace, silent.metric, silent.missing) == ("AWS/Lambda", "Invocations", "breaching")
    assert silent.dimensions == alarms["watchdog-failed"].dimensions
    assert silent.dimensions == (("FunctionName", "soloist-monitor-watchdog"),)
    assert alarms["watchdog-blind"].dimensions == (("Service", "monitor"),)


def test_no_two_alarms_of_any_two_services_share_a_name(service_tree):
    """soloist-a-b-failed could be `b-failed` of `a` or `failed` of `a-b`: no name ends with another one."""
    tree = service_tree("one zone")
    tree["file_system"]["throughput"] = "bursting"
    service = parse_service(tree, source="test")
    storage = watch_storage(service=service, file_system_id="fs-0")
    names = [each.name for each in (*alarms_of(service), *watchdog_alarms(service), *storage.alarms)]
    assert len(set(names)) == len(names)
    assert [(a, b) for a in names for b in names if a != b and a.endswith(f"-{b}")] == []


def test_the_watch_stack_of_the_longest_name_fits_into_one_call(synth_watch):
    longest = synth_watch(name="n" * 30, region="ap-southeast-1", zones=["ap-southeast-1a"])
    assert len(json.dumps(longest.body, separators=(",", ":")).encode()) < 51_200
