"""The cost of open streams of Amazon Transcribe."""
