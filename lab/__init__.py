"""AWS on one machine: real Linux machines, a real NFS server and the AWS APIs, without an account and without root.

Rooms, from the top: the applications (demo, chaos, simulation, redeployment), which nobody imports; play, where a
whole lab is put together; report, client, image and policies; hardware, edges and aws, which know nothing of each
other; base. A room imports only rooms below it; pyproject.toml holds the contract (`lint-imports` checks it).
A newcomer begins with play/lab.py, where all parts meet, and then reads one room. Production code imports none of it.
"""
