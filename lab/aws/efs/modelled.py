"""What the lab models of EFS's API: the parameters of each operation, and the values of some.

For: `calls.admission`. Guarantees: every name is one of AWS's and is read by code of the lab or of moto (a test).
Does not: say how well; docs/lab-fidelity.md does.
"""

from lab.aws.core.modelled import table

EFS = table("""
CreateFileSystem: CreationToken PerformanceMode=generalPurpose Encrypted KmsKeyId ThroughputMode=bursting|elastic
  Backup Tags;
DeleteFileSystem DescribeFileSystemPolicy DescribeBackupPolicy DescribeLifecycleConfiguration: FileSystemId;
DescribeFileSystems: FileSystemId CreationToken MaxItems Marker;
CreateMountTarget: FileSystemId SubnetId IpAddress SecurityGroups;
DeleteMountTarget DescribeMountTargetSecurityGroups: MountTargetId;
DescribeMountTargets: FileSystemId MountTargetId AccessPointId MaxItems Marker;
ModifyMountTargetSecurityGroups: MountTargetId SecurityGroups;
CreateAccessPoint: ClientToken Tags FileSystemId PosixUser RootDirectory; DeleteAccessPoint: AccessPointId;
DescribeAccessPoints: AccessPointId FileSystemId; PutFileSystemPolicy: FileSystemId Policy;
PutLifecycleConfiguration: FileSystemId LifecyclePolicies; ListTagsForResource: ResourceId;
TagResource: ResourceId Tags
""")
