"""Faults of the AWS API, set by tests and schedules."""
