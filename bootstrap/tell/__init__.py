"""What people are told: which messages there are, what each says, and how each gets to every channel.

Imports: base and requests. `message` is what is said, `gate` decides which messages are sent, `outbox` keeps each until
its channel has it, `webhook` is one channel (cloud.topic is the other). Nothing here waits for a person or delays the
agent. A newcomer comes here to add a kind of message or of channel.
"""
