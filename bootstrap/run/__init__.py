"""One run of the agent: boot as a graph of steps, supervision, and every ending. This room joins the others.

Imports: every other room; only `bootstrap.__main__` imports this one. Start with `agent`, which tells the run from
beginning to end, then read `boot` (the graph) and `ending`. `instance` builds the parts.
A newcomer comes here to add a step of the boot.
"""
