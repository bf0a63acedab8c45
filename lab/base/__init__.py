"""What every room of the lab shares: errors with exit codes, waiting with a deadline, paths, bounded servers.

May import: the standard library. Imported by: every room of the lab.
A newcomer comes here for a new exit code (errors), a new path below build/ (checkout), or a bound on a server.
What only one room needs belongs into that room.
"""
