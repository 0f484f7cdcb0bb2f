"""The service's side of Amazon Transcribe's streaming protocol, for the vendor's own SDK to talk to."""
