"""The short words of behaviours.yaml, each spelled out as the calls of boto3 that it stands for; its first variables.

For: contract_row. Guarantees: a word is only another spelling; what it calls and what must come back is all here.
Does not: call anything. The words are described at the top of behaviours.yaml.
"""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Step = dict[str, Any]

FRAME = ("id", "source", "moto_alone")
TRANSITIONS = {"boot": "LAUNCHING", "drain": "TERMINATING"}
ONE = {"AutoScalingGroupName": "one"}

# What is looked at by id: the call, its parameter that takes ids, and where in the answer the one thing asked for is.
LOOKS = {
    "instances": ("ec2.describe_instances", "InstanceIds", "Reservations[0].Instances[0]."),
    "checks": ("ec2.describe_instance_status", "InstanceIds", "InstanceStatuses[0]."),
    "interfaces": ("ec2.describe_network_interfaces", "NetworkInterfaceIds", "NetworkInterfaces[0]."),
    "in_group": ("autoscaling.describe_auto_scaling_instances", "InstanceIds", "AutoScalingInstances[0]."),
}
# The same where there is only one that can be asked.
SINGLE_LOOKS: dict[str, tuple[str, Step, str]] = {
    "the_group": ("autoscaling.describe_auto_scaling_groups", {}, "AutoScalingGroups[0]."),
    "activities": ("autoscaling.describe_scaling_activities", ONE, ""),
    "in_zone": ("route53.list_resource_record_sets", {"HostedZoneId": "$zone"}, ""),
    "the_stack": ("cloudformation.describe_stacks", {"StackName": "s"}, "Stacks[0]."),
}
LOOKED = {"state", "attached", "members", *LOOKS, *SINGLE_LOOKS}  # several of these can be in one step


def hooks(given: dict[str, Step]) -> list[Step]:
    """Lifecycle hooks by name: `boot` holds a launch, `drain` a termination."""
    return [
        {"LifecycleHookName": name, "LifecycleTransition": f"autoscaling:EC2_INSTANCE_{TRANSITIONS[name]}", **more}
        for name, more in given.items()
    ]


def _complete(given: dict[str, str]) -> Step:
    ((hook, result),) = given.items()
    return ONE | {"LifecycleHookName": hook, "InstanceId": "$one", "LifecycleActionResult": result}


def _stack(
    resources: Step,
    outputs: Step | None = None,
    declared: Step | None = None,
    given: Step | None = None,
    capabilities: Sequence[str] = ("CAPABILITY_NAMED_IAM",),
) -> Step:
    parts = {"Resources": resources, "Outputs": outputs, "Parameters": declared}
    return {
        "StackName": "s",
        "TemplateBody": json.dumps({name: part for name, part in parts.items() if part}),
        "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in (given or {}).items()],
        "Capabilities": list(capabilities),
    }


def _attach(given: dict[str, str], index: int = 1) -> Step:
    ((interface, instance),) = given.items()
    return {"NetworkInterfaceId": interface, "InstanceId": instance, "DeviceIndex": index}


def _change(line: str) -> Step:
    action, name, kind, *values = line.split()
    full = name if "." in name else f"{name}.lab.internal"
    record_set = {"Name": full, "Type": kind, "TTL": 10, "ResourceRecords": [{"Value": value} for value in values]}
    return {"Action": action, "ResourceRecordSet": record_set}


# Each word: the call, and its parameters made of what is given.
CALLS: dict[str, tuple[str, Callable[..., Step]]] = {
    "attach": ("ec2.attach_network_interface", _attach),
    "complete": ("autoscaling.complete_lifecycle_action", _complete),
    "heartbeat": (
        "autoscaling.record_lifecycle_action_heartbeat",
        lambda hook: ONE | {"LifecycleHookName": hook, "InstanceId": "$one"},
    ),
    "standby": (
        "autoscaling.enter_standby",
        lambda how: ONE | {"InstanceIds": ["$one"], "ShouldDecrementDesiredCapacity": how == "not replaced"},
    ),
    "put_hook": ("autoscaling.put_lifecycle_hook", lambda given: ONE | hooks(given)[0]),
    "new_version": (
        "ec2.create_launch_template_version",
        lambda data: {"LaunchTemplateId": "$template", "SourceVersion": "1", "LaunchTemplateData": data},
    ),
    "unhealthy": ("autoscaling.set_instance_health", lambda one: {"InstanceId": one, "HealthStatus": "Unhealthy"}),
    "run": ("ec2.run_instances", lambda given: {"MinCount": 1, "MaxCount": 1, "SubnetId": "$subnet_a"} | given),
    "update_group": ("autoscaling.update_auto_scaling_group", lambda given: ONE | given),
    "suspend": ("autoscaling.suspend_processes", lambda given: ONE | {"ScalingProcesses": given}),
    "resume": ("autoscaling.resume_processes", lambda given: ONE | {"ScalingProcesses": given}),
    "records": (
        "route53.change_resource_record_sets",
        lambda lines: {"HostedZoneId": "$zone", "ChangeBatch": {"Changes": [_change(line) for line in lines]}},
    ),
    "create_stack": ("cloudformation.create_stack", _stack),
    "update_stack": ("cloudformation.update_stack", _stack),
    "delete_stack": ("cloudformation.delete_stack", lambda name: {"StackName": name}),
}
MORE = ("index", "outputs", "declared", "given", "capabilities")  # what a word may be given beside it


def row_of(tree: Step) -> Step:
    """A row of the table: its sentence, which is the key of its steps, as `behaviour`, and the steps spelled out."""
    frame = {key: value for key, value in tree.items() if key in FRAME}
    ((behaviour, steps),) = ((key, value) for key, value in tree.items() if key not in FRAME)
    return frame | {"behaviour": behaviour, "steps": list(_all_spelled_out(steps))}


def _all_spelled_out(steps: list[Step]) -> Iterator[Step]:
    for step in steps:
        left = dict(step)
        if "after" in left:
            yield {"advance": left.pop("after")}
        if "steps" in left:
            yield left | {"steps": list(_all_spelled_out(step["steps"]))}
        elif LOOKED.issuperset(left):
            for look in left.items():
                yield from spelled_out(dict([look]))
        else:
            yield from spelled_out(left)


def spelled_out(step: Step) -> Iterator[Step]:
    """The steps that `step` stands for, without short words: itself, if it has none."""
    left = dict(step)
    word = next((key for key in step if "." in key or (key in LOOKED and key != "members") or key in CALLS), "")
    given = left.pop(word, None)
    if word == "state":
        word, given = "instances", {name: {"State.Name": state} for name, state in given.items()}
    if word == "attached":
        word, given = "interfaces", {name: {"Attachment.InstanceId": holder} for name, holder in given.items()}
    if word in LOOKS:
        operation, parameter, where = LOOKS[word]
        yield from (_look(operation, {parameter: [name]}, where, seen, **left) for name, seen in given.items())
    elif word in SINGLE_LOOKS:
        yield _look(*SINGLE_LOOKS[word], given, **left)
    elif word in CALLS:
        operation, parameters = CALLS[word]
        more = {name: left.pop(name) for name in MORE if name in left}
        yield left | {"do": operation, "with": parameters(given, **more)}
        if word.endswith("_stack") and "refused" not in left:
            yield {"stack_settles": "s"}
    elif word:
        yield left | {"do": word, "with": given}
    else:
        yield step


def _look(operation: str, with_: Step, where: str, seen: Step, save: Step | None = None) -> Step:
    """One call, and what must be seen or is to be saved at its place in the answer."""
    expect = {f"{where}{path}": value for path, value in seen.items()}
    saved = {name: f"{where}{path}" for name, path in (save or {}).items()}
    return {"do": operation, "with": with_, "expect": expect, "save": saved}


# The variables at the start: the call that makes each, and where in the answer it is.
Made = tuple[str, dict[str, Any], str]


def _subnet(number: int, letter: str) -> Made:
    where = {"CidrBlock": f"10.0.{number}.0/24", "AvailabilityZone": f"us-east-1{letter}"}
    return "ec2.create_subnet", {"VpcId": "$vpc", **where}, "Subnet.SubnetId"


def _interface(number: int, letter: str) -> Made:
    where = {"SubnetId": f"$service_{letter}", "PrivateIpAddress": f"10.0.{number}.10"}
    return "ec2.create_network_interface", where, "NetworkInterface.NetworkInterfaceId"


START: dict[str, Made] = {
    "vpc": ("ec2.create_vpc", {"CidrBlock": "10.0.0.0/16"}, "Vpc.VpcId"),
    **{f"subnet_{letter}": _subnet(number, letter) for number, letter in enumerate("abc")},
    **{f"service_{letter}": _subnet(number, letter) for number, letter in enumerate("abc", 100)},
    **{f"eni_{letter}": _interface(number, letter) for number, letter in enumerate("abc", 100)},
    "template": (
        "ec2.create_launch_template",
        {
            "LaunchTemplateName": "one",
            "LaunchTemplateData": {
                "ImageId": "$image",
                "InstanceType": "t3.medium",
                "MetadataOptions": {"HttpTokens": "required", "InstanceMetadataTags": "enabled"},
                "UserData": base64.b64encode(b"hello").decode(),
            },
        },
        "LaunchTemplate.LaunchTemplateId",
    ),
    "zone": (
        "route53.create_hosted_zone",
        {"Name": "lab.internal", "CallerReference": "1", "VPC": {"VPCRegion": "us-east-1", "VPCId": "$vpc"}},
        "HostedZone.Id",
    ),
}
