"""What the lab models of AWS: a table per service; a request for anything else has a refusal that names it.

For: `admission`. Services with a room of their own keep their table there; those that moto alone answers have it here.
Guarantees: no parameter of an operation that the lab answers is dropped in silence (a test walks botocore's models).
Does not: look at requests without a service, or with an operation that no model knows; moto refuses those.
"""

from lab.aws.autoscaling.modelled import AUTO_SCALING
from lab.aws.calls.request import ApiRequest
from lab.aws.cloudformation.modelled import CLOUDFORMATION
from lab.aws.cloudwatch.modelled import CLOUDWATCH
from lab.aws.core.modelled import Table, table, unmodelled
from lab.aws.ec2.modelled import EC2
from lab.aws.efs.modelled import EFS
from lab.aws.faults.codes import Refusal
from lab.aws.lambdas.modelled import EVENTS, LAMBDA
from lab.aws.route53.modelled import ROUTE53

# By the prefix that IAM has for the service.
TABLES: dict[str, Table] = {
    "autoscaling": AUTO_SCALING,
    "cloudformation": CLOUDFORMATION,
    "cloudwatch": CLOUDWATCH,
    "ec2": EC2,
    "elasticfilesystem": EFS,
    "events": EVENTS,
    "lambda": LAMBDA,
    "route53": ROUTE53,
    "ssm": table("""
PutParameter: Name Description Value Type=String|StringList|SecureString KeyId Overwrite AllowedPattern Tags
  Tier=Standard|Advanced DataType=text; GetParameter: Name WithDecryption; GetParameters: Names WithDecryption;
GetParametersByPath: Path Recursive ParameterFilters WithDecryption MaxResults NextToken;
GetParameterHistory: Name WithDecryption MaxResults NextToken; DeleteParameter: Name; DeleteParameters: Names;
DescribeParameters: Filters ParameterFilters NextToken; ListTagsForResource: ResourceType ResourceId;
AddTagsToResource: ResourceType ResourceId Tags; RemoveTagsFromResource: ResourceType ResourceId TagKeys
"""),
    "sns": table("""
CreateTopic: Name Attributes Tags; DeleteTopic GetTopicAttributes: TopicArn;
SetTopicAttributes: TopicArn AttributeName AttributeValue;
Publish: TopicArn TargetArn Message Subject MessageAttributes;
Subscribe: TopicArn Protocol Endpoint; Unsubscribe: SubscriptionArn; ListSubscriptions ListTopics: NextToken;
ListSubscriptionsByTopic: TopicArn NextToken; ListTagsForResource: ResourceArn
"""),
    "iam": table("""
CreateRole: Path RoleName AssumeRolePolicyDocument Description MaxSessionDuration Tags;
DeleteRole GetRole ListRolePolicies ListInstanceProfilesForRole: RoleName; ListRoles: PathPrefix Marker MaxItems;
UpdateAssumeRolePolicy: RoleName PolicyDocument; TagRole: RoleName Tags; UntagRole: RoleName TagKeys;
ListRoleTags: RoleName Marker MaxItems; PutRolePolicy: RoleName PolicyName PolicyDocument;
GetRolePolicy DeleteRolePolicy: RoleName PolicyName; AttachRolePolicy DetachRolePolicy: RoleName PolicyArn;
ListAttachedRolePolicies: RoleName PathPrefix Marker MaxItems;
CreatePolicy: PolicyName Path PolicyDocument Description Tags; DeletePolicy GetPolicy: PolicyArn;
GetPolicyVersion: PolicyArn VersionId; CreateInstanceProfile: InstanceProfileName Path Tags;
DeleteInstanceProfile GetInstanceProfile: InstanceProfileName; ListInstanceProfiles:;
AddRoleToInstanceProfile RemoveRoleFromInstanceProfile: InstanceProfileName RoleName
"""),
    "sts": table("AssumeRole: RoleArn RoleSessionName DurationSeconds; GetCallerIdentity:"),
    "logs": table("""
CreateLogGroup: logGroupName tags; CreateLogStream: logGroupName logStreamName; DeleteLogGroup: logGroupName;
DescribeLogGroups: logGroupNamePrefix nextToken limit;
DescribeLogStreams: logGroupName logStreamNamePrefix orderBy descending nextToken limit;
PutLogEvents: logGroupName logStreamName logEvents;
GetLogEvents: logGroupName logStreamName startTime endTime nextToken limit startFromHead;
PutRetentionPolicy: logGroupName retentionInDays; ListTagsForResource: resourceArn
"""),
    "s3": table("""
CreateBucket GetBucketEncryption GetBucketLocation: Bucket; ListObjectsV2: Bucket MaxKeys Prefix;
PutObject: Body Bucket ChecksumAlgorithm ChecksumCRC32 ChecksumSHA256 ContentLength ContentMD5 ContentType Key;
GetObject HeadObject DeleteObject: Bucket Key
"""),
}

_DIRECTLY = "nor other change sets: use cdk deploy --method=direct, or CreateStack and UpdateStack"
_REMEDIES = {"CreateChangeSet": _DIRECTLY, "ExecuteChangeSet": _DIRECTLY}


def not_modelled(request: ApiRequest) -> Refusal | None:
    """The refusal of a request for what the lab does not model, or None."""
    if not request.service or " " in request.operation:
        return None
    modelled = TABLES.get(request.service, {}).get(request.operation)
    missing = [] if modelled is None else list(unmodelled(modelled, request.parameters))
    if modelled is not None and not missing:
        return None
    what = f"{', '.join(missing)} of {request.action}" if missing else request.action
    remedy = _REMEDIES.get(request.operation, "and drops nothing in silence: see docs/lab-fidelity.md")
    text = f"the lab does not model {what}, {remedy}"
    return Refusal("NotModelledByTheLab", 400, text)
