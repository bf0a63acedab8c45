"""What the lab models of Auto Scaling's API: the parameters of each operation, and the values of some.

For: `calls.admission`, and groups of a stack. Guarantees: every name is one of AWS's and is read by code of the lab or
of moto (a test). Does not: say how well; docs/lab-fidelity.md does.
"""

from lab.aws.core.modelled import table

_HOOK = "LifecycleHookName LifecycleTransition HeartbeatTimeout DefaultResult NotificationTargetARN RoleARN"
_HOOK += " NotificationMetadata"
_TEMPLATE = "LaunchTemplateId LaunchTemplateName Version"
_GROUP = f"""AutoScalingGroupName MinSize MaxSize DesiredCapacity AvailabilityZones VPCZoneIdentifier
 HealthCheckType=EC2 LaunchTemplate({_TEMPLATE}) HealthCheckGracePeriod
 MixedInstancesPolicy(LaunchTemplate(LaunchTemplateSpecification({_TEMPLATE}) Overrides(InstanceType))
 InstancesDistribution(OnDemandAllocationStrategy=prioritized OnDemandPercentageAboveBaseCapacity=100))
 NewInstancesProtectedFromScaleIn
 InstanceMaintenancePolicy(MinHealthyPercentage MaxHealthyPercentage)
 AvailabilityZoneDistribution(CapacityDistributionStrategy=balanced-only|balanced-best-effort)"""
_ACTION = "AutoScalingGroupName LifecycleHookName LifecycleActionToken InstanceId"
_TAGS = "Tags(ResourceId ResourceType Key Value PropagateAtLaunch)"

AUTO_SCALING = table(f"""
CreateAutoScalingGroup: {_GROUP} LifecycleHookSpecificationList({_HOOK}) {_TAGS}; UpdateAutoScalingGroup: {_GROUP};
DeleteAutoScalingGroup: AutoScalingGroupName ForceDelete;
DescribeAutoScalingGroups: AutoScalingGroupNames Filters MaxRecords NextToken;
DescribeAutoScalingInstances: InstanceIds; SetDesiredCapacity: AutoScalingGroupName DesiredCapacity;
SetInstanceHealth: InstanceId HealthStatus ShouldRespectGracePeriod;
SetInstanceProtection: AutoScalingGroupName InstanceIds ProtectedFromScaleIn;
TerminateInstanceInAutoScalingGroup: InstanceId ShouldDecrementDesiredCapacity;
EnterStandby: AutoScalingGroupName InstanceIds ShouldDecrementDesiredCapacity;
ExitStandby: AutoScalingGroupName InstanceIds;
DescribeScalingActivities: AutoScalingGroupName ActivityIds MaxRecords NextToken;
PutLifecycleHook: AutoScalingGroupName {_HOOK}; DescribeLifecycleHooks: AutoScalingGroupName LifecycleHookNames;
DeleteLifecycleHook: AutoScalingGroupName LifecycleHookName; CompleteLifecycleAction: {_ACTION} LifecycleActionResult;
RecordLifecycleActionHeartbeat: {_ACTION}; SuspendProcesses ResumeProcesses: AutoScalingGroupName ScalingProcesses;
DescribeNotificationConfigurations: AutoScalingGroupNames; PutAccountSetting: Name Value;
DescribeAccountSettings: Name; CreateOrUpdateTags DeleteTags: {_TAGS}; DescribeTags: Filters
""")
