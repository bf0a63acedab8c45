"""What a deployment must do that CloudFormation has no resource for. The whole file is inlined into the template.

Custom::ServiceRecord creates the first A record of the name when none exists, never changes a live one (moving it is
the agent's part) and on deletion removes whatever value it has by then. A record that was there before the first
deployment and never pointed at this service is left alone.
Custom::SuspendedProcesses suspends processes of the Auto Scaling group, for which the group has no property.
Guarantees: every request is answered, failures with their reason; repeating a request is safe. Uses boto3 and urllib
only, as in Lambda's runtime. Protocol: CloudFormation user guide, "Custom resource request and response objects".
"""

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

NOT_CREATED = "not-created"  # deleting this physical id is a no-op: the creation it belongs to failed
ANSWER_TIMEOUT_S = 10
CALLS = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})
# The function's own role is seconds old at the first request, and IAM is eventually consistent (IAM user guide,
# "Changes that I make are not always immediately visible").
PERMISSION_WAITS_S = (5, 10, 20)


def on_event(event: dict[str, Any], context: Any) -> None:
    """Lambda's entry: do what `event` asks for and answer CloudFormation."""
    physical_id, reason = event.get("PhysicalResourceId") or NOT_CREATED, ""
    try:
        physical_id = when_permitted(RESOURCES[event["ResourceType"]], event)
    except Exception as error:  # whatever it is, CloudFormation must hear of it or waits until its own time-out
        reason = f"{type(error).__name__}: {error} (log stream {context.log_stream_name})"[:1000]
    answer = {
        "Status": "FAILED" if reason else "SUCCESS",
        "Reason": reason,
        "PhysicalResourceId": physical_id,
        **{key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")},
    }
    print(json.dumps(answer))
    request = urllib.request.Request(
        event["ResponseURL"], data=json.dumps(answer).encode(), method="PUT", headers={"Content-Type": ""}
    )
    urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_S).close()


def when_permitted(work: Callable[[dict[str, Any]], str], event: dict[str, Any]) -> str:
    """`work(event)`, again after each of the waits as long as AWS denies access."""
    for wait_s in PERMISSION_WAITS_S:
        try:
            return work(event)
        except ClientError as error:
            if code(error) != "AccessDenied":
                raise
            print(f"again in {wait_s} s: {error}")
            time.sleep(wait_s)
    return work(event)


def service_record(event: dict[str, Any]) -> str:
    """Create or delete the record; returns the physical id, ZONE/NAME or, for a record found there, ZONE/NAME/found."""
    wanted, current = event["ResourceProperties"], str(event.get("PhysicalResourceId") or NOT_CREATED)
    zone_id, name = wanted["HostedZoneId"], wanted["RecordName"]
    created, found = f"{zone_id}/{name}", f"{zone_id}/{name}/found"
    route53 = boto3.client("route53", config=CALLS)
    if event["RequestType"] == "Delete":
        if current != NOT_CREATED:
            delete_record(route53, zone_id, name, only_values=wanted["Addresses"] if current == found else None)
        return current
    if current in (created, found):
        return current
    return created if create_record(route53, zone_id, name, wanted) else found


def create_record(route53: Any, zone_id: str, name: str, wanted: dict[str, Any]) -> bool:
    """True when this call made the record, False when there was one already."""
    if find_record(route53, zone_id, name):
        return False
    record = {
        "Name": name,
        "Type": "A",
        "TTL": int(wanted["TtlSeconds"]),
        "ResourceRecords": [{"Value": wanted["Addresses"][0]}],
    }
    try:
        change(route53, zone_id, "CREATE", record)  # not UPSERT: it must fail where someone was faster
    except ClientError as error:
        if code(error) != "InvalidChangeBatch" or not find_record(route53, zone_id, name):
            raise
        return False
    return True


def delete_record(route53: Any, zone_id: str, name: str, only_values: list[str] | None) -> None:
    """Delete the record with the value it has now; once more when the value changed in between."""
    for last_attempt in (False, True):
        try:
            record = find_record(route53, zone_id, name)
            if record is None or (only_values is not None and not values(record) <= set(only_values)):
                return
            change(route53, zone_id, "DELETE", record)
            return
        except ClientError as error:
            if code(error) == "NoSuchHostedZone":
                return
            if code(error) != "InvalidChangeBatch" or last_attempt:
                raise


def find_record(route53: Any, zone_id: str, name: str) -> dict[str, Any] | None:
    """The A record of `name`, or None. The listing starts at the name and goes on with others."""
    page = route53.list_resource_record_sets(
        HostedZoneId=zone_id, StartRecordName=name, StartRecordType="A", MaxItems="1"
    )
    records: list[dict[str, Any]] = page["ResourceRecordSets"]
    return next((each for each in records if each["Type"] == "A" and each["Name"].rstrip(".").lower() == name), None)


def change(route53: Any, zone_id: str, action: str, record: dict[str, Any]) -> None:
    """Send one change; the batch is atomic."""
    batch = {"Comment": "soloist deployment", "Changes": [{"Action": action, "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)


def values(record: dict[str, Any]) -> set[str]:
    """The values of a record; an alias has none of its own and is never ours."""
    return {each["Value"] for each in record.get("ResourceRecords", [])} or {"alias"}


def code(error: ClientError) -> str:
    """The AWS error code of a ClientError."""
    return str(error.response["Error"]["Code"])


def suspended_processes(event: dict[str, Any]) -> str:
    """Suspend the processes; on deletion nothing, the group goes with the stack. Returns the group's name."""
    wanted = event["ResourceProperties"]
    if event["RequestType"] != "Delete":
        boto3.client("autoscaling", config=CALLS).suspend_processes(
            AutoScalingGroupName=wanted["AutoScalingGroupName"], ScalingProcesses=wanted["Processes"]
        )
    return str(wanted["AutoScalingGroupName"])


RESOURCES = {"Custom::ServiceRecord": service_record, "Custom::SuspendedProcesses": suspended_processes}
