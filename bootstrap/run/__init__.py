"""One run of the agent: boot as a graph of steps, supervision, every ending. This room puts the others together.

Imports: every other room; nothing imports this one but `bootstrap.__main__`.
A newcomer reads `agent` first, then `boot` (the graph) and `ending`.
"""
