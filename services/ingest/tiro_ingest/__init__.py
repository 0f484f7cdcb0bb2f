"""Accepts audio and jobs over gRPC, stores them, answers about them."""
