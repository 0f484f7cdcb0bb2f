"""The ingest service: it accepts recordings and jobs over gRPC, stores them, and returns transcripts."""
