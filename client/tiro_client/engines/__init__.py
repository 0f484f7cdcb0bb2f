"""What a deployment can recognize with."""
