"""What every room shares: clock and deadline, errors and exit codes, paths, timings, the boot document, the timeline.

Imports: the standard library and nothing of the agent.
A newcomer comes here to add a field to the boot document, an error with its exit code, or a lease timing.
"""
