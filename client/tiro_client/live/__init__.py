"""Live streams: one session over any number of connections.

* `config`, `events`: how a session is configured, and what happens in it.
* `stream`: the public side, on which the caller sends and reads.
* `session`: carries the session over its connections, between `outbox` (to send) and `inbox` (to read).
* `replay_buffer`: what is sent again after a lost connection.
* `call`: one connection.
* `session_watch`: follows a session of another client.
"""
