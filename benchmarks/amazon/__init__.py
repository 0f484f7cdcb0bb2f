"""What open streams of Amazon Transcribe cost."""
