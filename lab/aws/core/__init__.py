"""What all services of the control plane share: account, region, clock, lock, agenda, events, call log, patches.

Here: `Cloud`, the clockwork, delays (`timing`), the registry of patches to moto, credentials, the call log, errors.
A newcomer adds nothing here that knows a service: a service's state is a class in its own room (`Cloud.room`).
"""
