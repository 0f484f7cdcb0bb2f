"""The service's side of Amazon Transcribe's StartStreamTranscription, for tests: HTTP/2 over TLS on a free port."""
