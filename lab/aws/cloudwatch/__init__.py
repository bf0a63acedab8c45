"""CloudWatch: metrics as they are stored.

Here: when a datum was received, and how finely it is kept (`metric_data`).
A newcomer who models what is done with metrics adds a module beside it.
"""
