"""The agent on the instance: boots, claims, supervises. It knows nothing of stacks, rollout or lab."""
