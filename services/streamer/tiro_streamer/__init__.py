"""The streamer service: live sessions between a bidirectional gRPC stream of the client and JetStream."""
