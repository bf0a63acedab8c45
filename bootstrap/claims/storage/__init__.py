"""Storage: where the service's data and the lease directory are between two holders. Today one kind, EFS.

`contract` says what a kind must do and has the loop that all kinds share; `efs` mounts EFS, or NFS in the lab.
Imports: base, machine, and what a kind needs of cloud. Nothing above this room knows any kind.
A newcomer (an EBS volume, which is attached first) adds a module beside `efs`, its section in the boot document,
and a line in `kinds`. bootstrap.machine.directories shows parts of a mounted file system
to the service; it knows so far how the kernel names such a part on NFS only (`bind_difference`).
"""
