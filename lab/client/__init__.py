"""The users of the service: agents that write to it by name, and the check that nothing acknowledged was lost."""
