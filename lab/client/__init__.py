"""The users of the service: writers on a machine of their own, and what became of every write.

May import: base. writer runs inside the client machine, as one file, with the standard library only.
collector receives what the writers report, ledger keeps it and measures outages, check finds lost writes.
A newcomer comes here for a client of another kind of service: writer (its protocol) and check (its question).
"""
