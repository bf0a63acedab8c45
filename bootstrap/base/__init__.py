"""What every room shares: clock and deadline, retry, errors and exit codes, names, paths, boot document, state.

Imports: the standard library and nothing else of the agent. Stacks, the operator's command and the lab import this room
only. A newcomer comes here to add a field to the boot document or to the state, an error with its exit code, or a
timing of the lease.
"""
