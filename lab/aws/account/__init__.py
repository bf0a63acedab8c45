"""The account as a whole: which rules are in force, and everything that the lab may ask of it.

Here: `policy_sizes`, `rules.in_force` (applies all patches) and `queries.CloudQueries` (one mixin a service).
A newcomer who adds a service names its patch modules in `rules` and its queries in `queries`.
"""
