"""CloudWatch: metrics as they are stored and read, and alarms that look at them.

Here: when a datum was received, and how finely it is kept (`metric_data`); statistics by period (`series`) for
GetMetricData and for alarms; `alarm_rules` decides, `alarms` looks, `alarm_actions` tells topics.
A newcomer who models what else is done with metrics adds a module beside these.
"""
