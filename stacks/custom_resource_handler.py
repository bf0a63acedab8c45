"""The custom resources of a deployment: what CloudFormation has no resource for. The template contains this whole file.

Custom::ServiceRecord creates the first A record of the name if there is none. It never changes a record that is there,
because only the agent moves the name; a record of another kind (an alias, one of a set) fails the deployment. On
deletion it removes the record, whatever its value is then. It leaves a record alone that was there before the first
deployment and never pointed at this service, and one of another kind.
Custom::SuspendedProcesses suspends processes of the Auto Scaling group; the group has no property for that.
Guarantees: it answers every request, and a failure with its reason; a repeated request does no harm. It imports boto3
and the standard library only, as Lambda's runtime has them.
Source: CloudFormation user guide, "Custom resource request and response objects".
"""

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

NOT_CREATED = "not-created"  # the physical id of a creation that failed: there is nothing to delete
ANSWER_TIMEOUT_S = 10
CALLS = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})
# At the first request the function's role is seconds old, and IAM is eventually consistent (IAM user guide, "Changes
# that I make are not always immediately visible").
PERMISSION_WAITS_S = (5, 10, 20)


def on_event(event: dict[str, Any], context: Any) -> None:
    """Lambda's entry point: do what `event` asks for, then answer CloudFormation."""
    physical_id, reason = event.get("PhysicalResourceId") or NOT_CREATED, ""
    try:
        physical_id = when_permitted(RESOURCES[event["ResourceType"]], event)
    except Exception as error:  # of any kind: without an answer CloudFormation waits for an hour
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
    """The result of `work(event)`. While AWS denies access, it is tried again after each of PERMISSION_WAITS_S."""
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
    """Create or delete the record. Returns the physical id: ZONE/NAME, or ZONE/NAME/found if the record was there."""
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
    """True if this call made the record, False if there was one."""
    present = find_record(route53, zone_id, name)
    if present is not None and not is_simple(present):
        raise ValueError(f"{name} is an alias or one of a set of records; remove it, or give the service another name")
    if present is not None:
        return False
    record = {
        "Name": name,
        "Type": "A",
        "TTL": int(wanted["TtlSeconds"]),
        "ResourceRecords": [{"Value": wanted["Addresses"][0]}],
    }
    try:
        change(route53, zone_id, "CREATE", record)  # not UPSERT: it must fail if somebody else was faster
    except ClientError as error:
        if code(error) != "InvalidChangeBatch" or not find_record(route53, zone_id, name):
            raise
        return False
    return True


def delete_record(route53: Any, zone_id: str, name: str, only_values: list[str] | None) -> None:
    """Delete the record with its present value; try once more if the value changes meanwhile."""
    for last_attempt in (False, True):
        try:
            record = find_record(route53, zone_id, name)
            if record is None or not is_simple(record):
                return
            if only_values is not None and not values(record) <= set(only_values):
                return
            change(route53, zone_id, "DELETE", record)
            return
        except ClientError as error:
            if code(error) == "NoSuchHostedZone":
                return
            if code(error) != "InvalidChangeBatch" or last_attempt:
                raise


def find_record(route53: Any, zone_id: str, name: str) -> dict[str, Any] | None:
    """The A record of `name`, or None. The listing starts at `name` and goes on with the names after it."""
    page = route53.list_resource_record_sets(
        HostedZoneId=zone_id, StartRecordName=name, StartRecordType="A", MaxItems="1"
    )
    records: list[dict[str, Any]] = page["ResourceRecordSets"]
    return next((each for each in records if each["Type"] == "A" and each["Name"].rstrip(".").lower() == name), None)


def change(route53: Any, zone_id: str, action: str, record: dict[str, Any]) -> None:
    """Send one change; the batch is atomic."""
    batch = {"Comment": "soloist deployment", "Changes": [{"Action": action, "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=batch)


def is_simple(record: dict[str, Any]) -> bool:
    """Whether it may be a record of ours: no alias, and none of a set with a routing policy."""
    return "AliasTarget" not in record and "SetIdentifier" not in record


def values(record: dict[str, Any]) -> set[str]:
    """The values of a record."""
    return {each["Value"] for each in record["ResourceRecords"]}


def code(error: ClientError) -> str:
    """The AWS error code of a ClientError."""
    return str(error.response["Error"]["Code"])


def suspended_processes(event: dict[str, Any]) -> str:
    """Suspend the processes. On deletion do nothing: the stack deletes the group. Returns the group's name."""
    wanted = event["ResourceProperties"]
    if event["RequestType"] != "Delete":
        boto3.client("autoscaling", config=CALLS).suspend_processes(
            AutoScalingGroupName=wanted["AutoScalingGroupName"], ScalingProcesses=wanted["Processes"]
        )
    return str(wanted["AutoScalingGroupName"])


RESOURCES = {"Custom::ServiceRecord": service_record, "Custom::SuspendedProcesses": suspended_processes}
