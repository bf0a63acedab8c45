"""A request on its way in: what it asks for, who asks, what IAM would look at, whether it is one too many.

Here: request parsing, condition keys, recording in the call log, limits, error documents in each protocol.
A newcomer who adds an API call with resources or condition keys of its own adds a reader to `context`.
"""
