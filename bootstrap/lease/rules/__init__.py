"""The decisions of the lease, as pure functions: observations and a clock reading in, an action and a sentence out.

Imports: base.timing and base.member. No clock, file, thread or log (a contract in pyproject.toml says so).
A newcomer who changes a rule adds a planted defect that breaks it (lab/simulation).
"""
