"""A whole lab put together, one service in it, and what can be played there. Every application stands on this room.

May import: every room below (report, client, image, policies, hardware, edges, aws, base), services, rollout and
bootstrap.base (names, state).
lab starts and ends all parts, stage is one service in a lab, scenes are what a demo plays, program starts applications.
A newcomer comes here for another scene (scenes), another part of the lab (lab), or how the parts see each other
(wiring, hypervisor).
"""
