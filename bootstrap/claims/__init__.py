"""What the holder of the lease claims for its service: network interface, DNS record, lifecycle hooks of the group.

Imports: base, cloud and machine. A claim is made only with the lease's permission, asked again before every request.
A newcomer comes here to add another kind of connection.
"""
