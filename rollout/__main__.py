"""`python -m rollout` is the command `soloist`."""

from rollout.cli import app

app(prog_name="soloist")
