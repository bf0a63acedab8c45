"""The operating system as the agent sees it: commands, mounts, network links, systemd units, health probes.

Imports: base, pyroute2 and the standard library. Whatever may hang runs in a child process that can be killed.
A newcomer comes here to add a kind of health check or a file system.
"""
