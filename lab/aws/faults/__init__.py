"""Faults of the AWS API: errors, delays, lost connections and lost answers, set by tests, chaos runs and the demo.

Here: what a fault is and how it strikes (`faults`), named ones (`presets`), each service's error codes, the endpoint.
A newcomer adds a preset with its meaning in one sentence; a new kind of error also needs its words in `codes`.
"""
