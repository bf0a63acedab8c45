"""Connection: what a deployment makes so that clients reach the instance. Today one kind, a record in Route 53.

`contract` says what a kind offers to the rest of the stack; `kinds` chooses the kind of a service file.
Imports: services, bootstrap.base and the other constructs. A newcomer adds a module beside `route53` and a line in
`kinds`.
"""
