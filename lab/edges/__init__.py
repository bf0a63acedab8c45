"""What instances reach beside the AWS API: the metadata service and DNS.

May import: base. The look-ups that answer depends on are passed in as functions; lab.play.wiring provides them.
Each edge is two modules: a pure one that decides the answer, and one that serves it on a socket.
A newcomer comes here for another metadata path (metadata) or another kind of DNS answer (names).
"""
