"""What the lab models of Lambda's and EventBridge's APIs: the parameters of each operation, and the values of some.

For: `calls.admission`. Guarantees: every name is one of AWS's (a test). Does not: list what a template may say of
functions and rules; CloudFormation's types do.
"""

from lab.aws.core.modelled import table

LAMBDA = table("""
GetFunction GetFunctionConfiguration: FunctionName; ListFunctions:;
Invoke: FunctionName InvocationType=RequestResponse Payload
""")
EVENTS = table("""
DescribeRule: Name; ListRules: NamePrefix; ListTargetsByRule: Rule; EnableRule DisableRule: Name
""")
