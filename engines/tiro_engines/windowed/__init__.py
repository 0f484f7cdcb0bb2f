"""Live decoding for engines that decode windows: voice activity, a growing window, agreement, endpointing.

Composed, not built in: `LiveSession(decoder, voice, options, start)` takes any `WindowDecoder` and `VoiceActivity`.
"""
