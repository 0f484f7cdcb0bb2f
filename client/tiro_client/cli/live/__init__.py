"""`tiro listen` and `tiro watch`: live sessions.

* `audio_source`, `file_audio`, `microphone`: where the audio comes from.
* `view`, `session_display`: what is shown.
"""
