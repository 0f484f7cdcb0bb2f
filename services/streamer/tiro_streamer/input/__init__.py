"""The input of a connection: from its requests to PCM16 and controls in the audio log."""
