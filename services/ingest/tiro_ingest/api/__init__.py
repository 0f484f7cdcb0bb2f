"""The gRPC services, and how records become the messages that callers see."""
