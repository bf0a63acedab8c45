"""Auto Scaling: groups that act by themselves."""
