"""gRPC calls: the channel, errors, retries."""
