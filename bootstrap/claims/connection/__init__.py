"""Connection: what leads clients to the instance that holds the lease. Today one kind, a DNS record in Route 53.

`contract` says what a kind must do and has the loop that all kinds share; `kinds` chooses the kind for a boot document.
Imports: base, and what the kind needs of cloud and machine. Nothing above this room knows any kind.
A newcomer (RFC 2136, an Elastic IP address) adds a module beside `route53`, a line in `kinds`, its section in the boot
document, and the permissions of the role in the stack.
"""
