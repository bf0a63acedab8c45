"""The operating system as the agent sees it: commands, file systems, network links, systemd units, health checks.

Imports: base, pyroute2, requests and the standard library. Whatever may hang runs within a time-out, or in a child
process that can be killed. A newcomer comes here to add a kind of health check (a module in `probes`).
"""
