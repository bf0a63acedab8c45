"""What the lab models of Route 53's API: the parameters of each operation. Sets of records and aliases are kept,
refused and listed as AWS does; DNS does not choose by them.

For: `calls.admission`, and records of a stack. Guarantees: every name is one of AWS's and is read by code of the lab or
of moto (a test). Does not: say how well; docs/lab-fidelity.md does.
"""

from lab.aws.core.modelled import table

_VPC = "VPC(VPCRegion VPCId)"
_RECORD = "ResourceRecordSet(Name Type TTL ResourceRecords(Value) AliasTarget SetIdentifier Weight Region Failover)"

ROUTE53 = table(f"""
ChangeResourceRecordSets: HostedZoneId ChangeBatch(Comment Changes(Action {_RECORD}));
ListResourceRecordSets: HostedZoneId StartRecordName StartRecordType MaxItems;
GetChange DeleteHostedZone GetHostedZone: Id;
CreateHostedZone: Name CallerReference {_VPC} HostedZoneConfig(Comment PrivateZone); GetHostedZoneCount:;
ListHostedZones: Marker MaxItems; ListHostedZonesByName: DNSName; ListHostedZonesByVPC: VPCId VPCRegion;
AssociateVPCWithHostedZone DisassociateVPCFromHostedZone: HostedZoneId {_VPC};
ListTagsForResource: ResourceType ResourceId; ChangeTagsForResource: ResourceType ResourceId AddTags RemoveTagKeys
""")
RECORD_SET = ROUTE53["ChangeResourceRecordSets"].parts["ChangeBatch"].parts["Changes"].parts["ResourceRecordSet"]
