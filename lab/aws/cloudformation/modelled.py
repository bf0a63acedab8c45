"""What the lab models of CloudFormation's API: the parameters of each operation, and the values of some.

For: `calls.admission`. Guarantees: every name is one of AWS's (a test). A ClientRequestToken is taken and has no
effect, because the CDK sends one. Does not: list resource types and their properties; `resource_types` does.
"""

from lab.aws.core.modelled import table

_STACK = """StackName TemplateBody TemplateURL Parameters(ParameterKey ParameterValue UsePreviousValue)
 Capabilities RoleARN Tags ClientRequestToken DeploymentConfig(Mode=STANDARD)"""

CLOUDFORMATION = table(f"""
CreateStack: {_STACK} EnableTerminationProtection; UpdateStack: {_STACK} UsePreviousTemplate;
DeleteStack: StackName RoleARN ClientRequestToken; UpdateTerminationProtection: StackName EnableTerminationProtection;
DescribeStacks: StackName NextToken; DescribeStackEvents ListStackResources: StackName;
DescribeStackResource DescribeStackResources: StackName LogicalResourceId; ListStacks: StackStatusFilter;
ListExports: NextToken; GetTemplate: StackName TemplateStage=Original;
GetTemplateSummary: TemplateBody TemplateURL StackName; ValidateTemplate: TemplateBody TemplateURL
""")
