"""The self-fence: a small second process that ends the service when the lease has run out.

Imports: base.timing, machine.mountinfo and the standard library. `client` is the agent's side of the socket.
A newcomer reads `rules` first (pure), then `guard` (carries the rules out), then `__main__` (the process).
"""
