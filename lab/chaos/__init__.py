"""Random schedules of faults on real machines, and a verdict on what then happened.

May import: every room below, and bootstrap.base (names); nobody imports this one.
Pure: schedule (seed to faults), history and checker (what happened, what is wrong with it), shrink, story, notes,
nfs_wire and tcp_stream (which machine wrote, from captured bytes). Acting: actor, capture, watch, runs.
A newcomer adds a kind of fault in schedule (its sentence and how it is drawn) and in actor (how it is begun and ended).
"""
