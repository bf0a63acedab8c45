"""What tests of several rooms share: fakes, builders and made-up worlds.

For: test modules and conftest files, which import from here and never from each other
(tests/unit/test_rooms.py). Guarantees: what can be real is real (the fence's guard, the lease directory's
program); only clock, operating system, network and AWS are replaced.
Does not: test anything. A fake that judges (accepts, refuses, decides) belongs in the product, not here.
"""
