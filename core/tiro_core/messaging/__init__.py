"""NATS JetStream as Tiro uses it: records, event logs, work queues, broadcasts."""
