"""The dashboard: what CloudWatch would read, and that every metric on it is one that somebody sends."""

import copy
import json
import re

import pytest

from bootstrap.base import names
from tests.stacks.templates import Template, resolve

SENT = {
    "Serving",
    "Takeover",
    "BootFailed",
    "BootTime",
    "LeaseAge",
    "Troubles",
    "WatchdogActed",
}
SEARCHED = {
    "Heartbeat": names.INSTANCE_DIMENSION,
    "BootPhase": names.PHASE_DIMENSION,
    "Trouble": names.REASON_DIMENSION,
}


@pytest.fixture(scope="module")
def dashboard(synth_watch):
    watch = Template(copy.deepcopy(synth_watch().body))
    text = watch.properties("AWS::CloudWatch::Dashboard")["DashboardBody"]
    watch.resources["Parts"] = {"Type": "parameter"}
    arns = {name: {"Fn::GetAtt": [name, "Arn"]} for name in watch.of_type("AWS::CloudWatch::Alarm")}
    for name, arn in arns.items():
        text = json.loads(json.dumps(text).replace(json.dumps(arn), json.dumps(f"arn of {name}")))
    return json.loads(resolve(text, watch)), set(arns)


def widgets(dashboard):
    return [each["properties"] for each in dashboard[0]["widgets"] if each["type"] == "metric"]


def lines(dashboard):
    return [line for each in widgets(dashboard) for line in each["metrics"]]


def test_it_has_the_name_of_the_service_and_all_its_alarms_in_the_first_place(synth_watch, dashboard):
    assert synth_watch().properties("AWS::CloudWatch::Dashboard")["DashboardName"] == "soloist-monitor"
    first = dashboard[0]["widgets"][0]
    assert (first["type"], first["x"], first["y"]) == ("alarm", 0, 0)
    assert set(first["properties"]["alarms"]) == {f"arn of {name}" for name in dashboard[1]}


def test_every_metric_is_one_that_is_sent_by_this_service(dashboard):
    own = [line for line in lines(dashboard) if line[0] == "soloist"]
    assert {line[1] for line in own} == SENT
    assert {tuple(line[2:4]) for line in own} == {("Service", "monitor")}
    efs = [line for line in lines(dashboard) if line[0] == "AWS/EFS"]
    assert {line[1] for line in efs} == {"PercentIOLimit", "MeteredIOBytes", "StorageBytes"}
    assert {tuple(line[2:4]) for line in efs} == {("FileSystemId", "parameter|Parts[0]")}


def test_phases_and_reasons_are_searched_because_nobody_knows_them_all(dashboard):
    found = [line[0]["expression"] for line in lines(dashboard) if "SEARCH" in str(line[0])]
    pattern = re.compile(
        r"SEARCH\('\{soloist,Service,(\w+)\} MetricName=\"(\w+)\" Service=\"monitor\"', 'Maximum', 300\)"
    )
    read = [pattern.fullmatch(one) for one in found]
    assert all(read), found
    assert {one[2]: one[1] for one in read} == SEARCHED


def test_how_long_nobody_served_is_counted_where_there_are_no_data_too(dashboard):
    (widget,) = [each for each in widgets(dashboard) if each["title"].startswith("Without service")]
    hidden, (counted,) = widget["metrics"]
    assert (hidden[1], hidden[-1]["visible"], hidden[-1]["stat"]) == ("Serving", False, "Maximum")
    assert f"FILL({hidden[-1]['id']}, 0) < 1" in counted["expression"]


def test_no_two_widgets_overlap_and_none_is_outside_the_grid(dashboard):
    taken = set()
    for each in dashboard[0]["widgets"]:
        cells = {
            (x, y)
            for x in range(each["x"], each["x"] + each["width"])
            for y in range(each["y"], each["y"] + each["height"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells


def test_the_lines_of_the_lease_are_those_of_the_service_file(synth_watch, dashboard):
    (widget,) = [each for each in widgets(dashboard) if "annotations" in each]
    assert [line["value"] for line in widget["annotations"]["horizontal"]] == [35, 45]
