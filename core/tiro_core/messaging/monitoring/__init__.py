"""The state of the NATS servers and of the JetStream account: free space, health, whether they flush."""
