"""What the server of agent processes loads before it forks the first one (tests/kit/agent_process.py)."""

from tests.kit import agent_process

agent_process.warm_up()
