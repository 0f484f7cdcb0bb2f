"""gRPC as every service serves it."""
