"""A toolkit for engines that decode windows: voice activity, endpointing, local agreement, a sliding window.

`WindowedSession(decoder, voice, options, start, context)` is an `EngineSession` for any `WindowDecoder` and
`VoiceActivity`.
"""
