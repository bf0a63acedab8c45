"""Storage: what a deployment makes for the service's data and the lease directory. Today one kind, EFS.

`contract` says what a kind offers to the rest of the stack; `kinds` chooses the kind of a service file.
Imports: services, bootstrap.base and the other constructs. A newcomer adds two modules, as
`efs` and `efs_watch`, and their lines in `kinds`.
"""
