"""gRPC calls: the connection they go over, their errors, and their retries."""
