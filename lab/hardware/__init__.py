"""Machines, network, file server and the namespace they live in."""
