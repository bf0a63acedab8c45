"""What CloudFormation sends to the record's custom resource, and the record that it is about."""

from types import SimpleNamespace

NAME = "monitor.example.internal"
ADDRESSES = ["10.0.100.10", "10.0.101.10"]
CONTEXT = SimpleNamespace(log_stream_name="2026/11/20/stream")


def event(kind, zone_id="Z1", **more):
    base = {
        "RequestType": kind,
        "ResourceType": "Custom::ServiceRecord",
        "ResponseURL": "https://cloudformation.example/answer",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Record",
        "ResourceProperties": {
            "ServiceToken": "arn",
            "HostedZoneId": zone_id,
            "RecordName": NAME,
            "TtlSeconds": "10",
            "Addresses": ADDRESSES,
        },
    }
    if kind != "Create":
        base["PhysicalResourceId"] = f"{zone_id}/{NAME}"
    return base | more


def record_set(value, name=NAME + "."):
    return {"Name": name, "Type": "A", "TTL": 10, "ResourceRecords": [{"Value": value}]}
