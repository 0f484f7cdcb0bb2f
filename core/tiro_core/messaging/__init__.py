"""NATS JetStream as Tiro uses it: records, event logs, broadcasts, and the connection.

In packages of their own: `reading` (consumers), `queues` (work queues), `streams` (changes of streams), `monitoring`
(the state of the servers).
"""
