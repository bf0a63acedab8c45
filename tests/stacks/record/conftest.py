"""The custom resource's surroundings: a hosted zone, the answers that CloudFormation gets, waits that do not wait."""

import io
import json
from types import SimpleNamespace

import boto3
import pytest

from lab.aws import strict_mock_aws
from stacks import custom_resource_handler as handler
from tests.stacks.record.requests_of_stack import NAME


@pytest.fixture(autouse=True)
def _credentials(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def answers(monkeypatch):
    """The answers CloudFormation got, instead of PUTs to the network."""
    got = []

    def urlopen(request, timeout):
        assert request.get_method() == "PUT"
        assert request.full_url == "https://cloudformation.example/answer"
        assert request.get_header("Content-type") == ""  # the presigned URL is signed without one
        assert 0 < timeout <= 60
        got.append(json.loads(request.data))
        return io.BytesIO()

    monkeypatch.setattr(handler.urllib.request, "urlopen", urlopen)
    return got


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """The waits asked for, in seconds, instead of waiting."""
    asked = []
    monkeypatch.setattr(handler, "time", SimpleNamespace(sleep=asked.append))  # other threads keep theirs
    return asked


@pytest.fixture
def zone():
    """A hosted zone, with the few calls a test needs."""
    with strict_mock_aws(instant=True) as aws:
        client = boto3.client("route53")
        zone_id = client.create_hosted_zone(Name="example.internal", CallerReference="1")["HostedZone"]["Id"]
        zone_id = zone_id.rsplit("/", 1)[1]

        def change(*changes):
            client.change_resource_record_sets(
                HostedZoneId=zone_id,
                ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": each} for action, each in changes]},
            )

        def value():
            for each in client.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]:
                if (each["Name"], each["Type"]) == (NAME + ".", "A"):
                    return [item["Value"] for item in each["ResourceRecords"]]
            return None

        yield SimpleNamespace(id=zone_id, change=change, value=value, aws=aws)
