"""What NATS reports of its servers and of our account: room, health, whether it flushes."""
