"""Live sessions: a bidirectional gRPC stream in front, JetStream behind."""
