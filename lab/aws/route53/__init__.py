"""Route 53: atomic change batches with the service's own checks, changes that become INSYNC, request limits.

Here: pure record rules, the API's changes, state with its token buckets, views.
A newcomer adds a check of record values to `record_rules`, where it can be tested without moto.
"""
