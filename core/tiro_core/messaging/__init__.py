"""NATS JetStream as Tiro uses it: records, lines of events, blobs, queues of work."""
