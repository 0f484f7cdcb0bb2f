"""What benchmarks share: processes, recordings, reports."""
