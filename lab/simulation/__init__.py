"""The real decision core of the lease in a simulated world: `python -m lab.simulation --runs N --seed S`."""
