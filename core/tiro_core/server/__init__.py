"""What every service needs to run: its gRPC server, interceptors, lifecycle, readiness, metrics."""
