"""What the lab models of EC2's API: the parameters of each operation, and the values of some.

For: `calls.admission`, and launch templates of a stack. Guarantees: every name is one of AWS's and is read by code of
the lab or of moto (a test). Does not: say how well; docs/lab-fidelity.md does. A ClientToken is taken, because SDKs
send one unasked, but a repeated one counts as a new call.
"""

from lab.aws.core.modelled import table

_ROUTE = "DestinationCidrBlock GatewayId RouteTableId"  # targets that can go away would have to become a blackhole
_RULES = """GroupId IpPermissions(IpProtocol FromPort ToPort IpRanges(CidrIp Description)
 Ipv6Ranges(CidrIpv6 Description) PrefixListIds(PrefixListId Description)
 UserIdGroupPairs(GroupId UserId VpcId Description)) DryRun"""
_PROFILE = "IamInstanceProfile(Name Arn)"
_NICS = """NetworkInterfaces(DeviceIndex SubnetId Groups NetworkInterfaceId PrivateIpAddress AssociatePublicIpAddress
 DeleteOnTermination)"""
_LAUNCHED = f"""ImageId InstanceType {_PROFILE} {_NICS} SecurityGroupIds KeyName UserData
 MetadataOptions(HttpTokens HttpEndpoint HttpPutResponseHopLimit HttpProtocolIpv6 InstanceMetadataTags)
 BlockDeviceMappings(DeviceName Ebs(VolumeSize VolumeType SnapshotId Encrypted DeleteOnTermination KmsKeyId))
 TagSpecifications(ResourceType Tags)"""
_DATA = f"LaunchTemplateData({_LAUNCHED})"
_SPECIFICATION = "LaunchTemplate(LaunchTemplateId LaunchTemplateName Version)"
_TEMPLATE = "LaunchTemplateId LaunchTemplateName ClientToken DryRun"

EC2 = table(f"""
RunInstances: MinCount MaxCount {_LAUNCHED} SubnetId PrivateIpAddress Placement(AvailabilityZone) {_SPECIFICATION}
  Monitoring(Enabled) EbsOptimized InstanceInitiatedShutdownBehavior=stop DisableApiStop ClientToken DryRun;
TerminateInstances: InstanceIds Force SkipOsShutdown DryRun; StopInstances StartInstances: InstanceIds DryRun;
DescribeInstances: InstanceIds Filters NextToken MaxResults DryRun;
DescribeInstanceStatus: InstanceIds Filters IncludeAllInstances;
GetConsoleOutput: InstanceId Latest DryRun; DescribeInstanceAttribute: InstanceId Attribute;
ModifyInstanceAttribute: InstanceId DisableApiTermination SourceDestCheck Groups DryRun;
ModifyInstanceMetadataOptions: InstanceId HttpTokens HttpPutResponseHopLimit HttpEndpoint InstanceMetadataTags;
DescribeInstanceTypes: InstanceTypes Filters; DescribeInstanceTypeOfferings: LocationType Filters;
DescribeIamInstanceProfileAssociations: AssociationIds Filters; AssociateIamInstanceProfile: InstanceId {_PROFILE};
DisassociateIamInstanceProfile DisassociateRouteTable: AssociationId;
AttachNetworkInterface: NetworkInterfaceId InstanceId DeviceIndex DryRun;
DetachNetworkInterface: AttachmentId Force DryRun;
CreateNetworkInterface: SubnetId Description PrivateIpAddress Groups TagSpecifications ClientToken DryRun;
DeleteNetworkInterface: NetworkInterfaceId DryRun; DescribeNetworkInterfaces: NetworkInterfaceIds Filters DryRun;
ModifyNetworkInterfaceAttribute: NetworkInterfaceId Description SourceDestCheck Groups Attachment(AttachmentId
  DeleteOnTermination) DryRun;
CreateLaunchTemplate: LaunchTemplateName VersionDescription {_DATA} TagSpecifications ClientToken DryRun;
CreateLaunchTemplateVersion: {_TEMPLATE} SourceVersion VersionDescription {_DATA};
DeleteLaunchTemplate: LaunchTemplateId LaunchTemplateName DryRun;
DescribeLaunchTemplates: LaunchTemplateIds LaunchTemplateNames Filters MaxResults NextToken DryRun;
DescribeLaunchTemplateVersions: LaunchTemplateId LaunchTemplateName Versions MinVersion MaxVersion MaxResults
  NextToken DryRun; ModifyLaunchTemplate: {_TEMPLATE} DefaultVersion;
CreateVpc: CidrBlock InstanceTenancy=default TagSpecifications; DeleteVpc: VpcId; DescribeVpcs: VpcIds Filters DryRun;
DescribeVpcAttribute: VpcId Attribute; ModifyVpcAttribute: VpcId EnableDnsHostnames EnableDnsSupport;
CreateSubnet: VpcId CidrBlock AvailabilityZone AvailabilityZoneId TagSpecifications; DeleteSubnet: SubnetId;
DescribeSubnets: SubnetIds Filters DryRun; ModifySubnetAttribute: SubnetId MapPublicIpOnLaunch;
CreateSecurityGroup: GroupName Description VpcId TagSpecifications DryRun;
DeleteSecurityGroup: GroupId GroupName DryRun; DescribeSecurityGroups: GroupIds GroupNames Filters;
DescribeSecurityGroupRules: SecurityGroupRuleIds Filters DryRun;
AuthorizeSecurityGroupIngress AuthorizeSecurityGroupEgress RevokeSecurityGroupIngress RevokeSecurityGroupEgress:
  {_RULES}; CreateTags DeleteTags: Resources Tags DryRun; DescribeTags: Filters DryRun;
DescribeRegions: RegionNames DryRun; DescribeAvailabilityZones: ZoneNames ZoneIds Filters DryRun;
DescribeImages: ImageIds Owners ExecutableUsers Filters DryRun; DeregisterImage: ImageId DryRun;
EnableImageDeprecation: ImageId DeprecateAt DryRun; DisableImageDeprecation: ImageId DryRun;
CreateRouteTable: VpcId TagSpecifications ClientToken; DeleteRouteTable: RouteTableId;
DescribeRouteTables: RouteTableIds Filters; CreateRoute ReplaceRoute: {_ROUTE};
DeleteRoute: RouteTableId DestinationCidrBlock; AssociateRouteTable: RouteTableId SubnetId;
CreateInternetGateway: TagSpecifications DryRun;
AttachInternetGateway DetachInternetGateway: InternetGatewayId VpcId DryRun;
DeleteInternetGateway: InternetGatewayId DryRun; DescribeInternetGateways: InternetGatewayIds Filters;
DescribeVpcEndpoints: VpcEndpointIds Filters; DescribeVolumes: VolumeIds Filters
""")
