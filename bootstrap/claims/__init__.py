"""What the holder of the lease takes over: network interface, connection and storage; and the group's hooks.

Imports: base, cloud and machine. What others use is changed only with the lease's permission, asked again right before
each change, and is believed only when it was read back. `connection` and `storage` each have a contract with several
kinds in mind. A newcomer comes here to add a kind of connection or of storage.
"""
