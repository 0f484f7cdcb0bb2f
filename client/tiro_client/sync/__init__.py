"""The client for programs without an event loop.

* `loop_thread`: an event loop in a thread of its own, which other threads call.
* `live_stream`: a live session that is driven by such calls.
* `audio_thread`: sends a caller's audio while the caller reads events.
* `client`: the methods of `AsyncClient`, each of which blocks until it has its result.
"""
