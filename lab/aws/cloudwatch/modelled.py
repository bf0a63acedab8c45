"""What the lab models of CloudWatch's API: the parameters of each operation, and the values of some.

For: `calls.admission`. Guarantees: every name is one of AWS's (a test). Does not: list what a template may say of
alarms; CloudFormation's types do.
"""

from lab.aws.core.modelled import table

_STATISTICS = "SampleCount|Average|Sum|Minimum|Maximum"
_ALARM = f"""AlarmName AlarmDescription ActionsEnabled OKActions AlarmActions InsufficientDataActions MetricName
 Namespace Statistic={_STATISTICS} Dimensions Period Unit EvaluationPeriods DatapointsToAlarm Threshold
 ComparisonOperator TreatMissingData=missing|ignore|breaching|notBreaching Tags"""

CLOUDWATCH = table(f"""
PutMetricData: Namespace MetricData(MetricName Dimensions Timestamp Value Unit StorageResolution=1|60);
GetMetricData: MetricDataQueries(Id MetricStat(Metric(Namespace MetricName Dimensions) Period Stat={_STATISTICS} Unit)
  Label) StartTime EndTime ScanBy=TimestampAscending|TimestampDescending;
GetMetricStatistics: Namespace MetricName Dimensions StartTime EndTime Period Statistics Unit;
ListMetrics: Namespace MetricName Dimensions NextToken; PutMetricAlarm: {_ALARM};
DescribeAlarms: AlarmNames AlarmNamePrefix StateValue; DeleteAlarms: AlarmNames; GetDashboard: DashboardName;
ListDashboards: DashboardNamePrefix; ListTagsForResource: ResourceARN
""")
