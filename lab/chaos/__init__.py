"""Random schedules of faults against real machines, and the judgement of what then happened.

Pure: `schedule` (seed to faults), `history` and `checker` (what happened, what is wrong with it), `shrink`, `nfs_wire`
and `tcp_stream` (which machine wrote, from captured bytes), `notes`. Acting: `capture`, `watch`, `actor`, `runs`.
"""
