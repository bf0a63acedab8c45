"""The control plane's frame: account state, calls, time, log, views."""
