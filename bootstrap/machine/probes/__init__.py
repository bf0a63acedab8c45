"""The kinds of health check, one module each: its fields with their limits, and its probe.

Imports: base, requests and the standard library. The service file, its JSON schema, the boot document and
`bootstrap.machine.health` take every kind from here; each module names its class in `KIND`.
A newcomer adds one module here and its test, and writes the schema again by `make schema`.
"""
