"""The single-writer lease: one file per generation, taken over by proof of death, renewed, released.

Imports: base, cloud, machine and fence. `rules` decides and is pure; `takeover` and `keeper` are the protocol's loops;
`directory`, `worker` and `child` reach the files; `evidence` asks EC2 and the group.
A newcomer changes a rule in `rules`, its planted defect in lab.simulation, and nothing else.
"""
