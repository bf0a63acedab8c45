"""The first door: AWS over HTTP, for machines, the command line and tests with real sockets.

Here: `ControlPlane` (start, ask, stop) and the WSGI server that records, limits and faults each request before moto.
A newcomer changes this room to serve another protocol or to change how errors and lost connections look on the wire.
"""
