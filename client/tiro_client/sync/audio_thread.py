"""Sends a caller's audio while the caller reads the events of its session."""

import threading
from collections.abc import Generator, Iterable
from contextlib import suppress

from tiro_client.errors import StreamClosed
from tiro_client.live.events import LiveEvent
from tiro_client.sync.live_stream import SyncLiveStream

AUDIO_SECONDS_MAX = 2.0
"""How long to wait, when a session is left, for an audio source that is producing its next piece. A source that takes
longer, as one that waits for a device, keeps its thread until then. The thread does not keep the program."""


def transcribe_stream(live: SyncLiveStream, audio: Iterable[bytes]) -> Generator[LiveEvent, None, None]:
    """Send audio as it is produced, from a thread of its own, and yield the events, to the session's end.

    Args:
        live: A stream that is not open.
        audio: The audio, in the stream's encoding.

    Raises:
        TiroError: The session was refused or ended early.
        Exception: What `audio` raises.
    """
    left = threading.Event()
    feeding = threading.Thread(target=_feed, args=(live, audio, left), name="tiro-audio", daemon=True)
    try:
        with live:
            feeding.start()
            yield from live
    finally:
        left.set()
        if feeding.ident is not None:
            feeding.join(AUDIO_SECONDS_MAX)


def _feed(live: SyncLiveStream, audio: Iterable[bytes], left: threading.Event) -> None:
    try:
        for chunk in audio:
            if left.is_set():
                return
            live.send(chunk)
        live.end()
    except StreamClosed:
        # The thread that reads the events gets the cause.
        return
    except Exception as error:  # noqa: BLE001 - what the caller's audio raises reaches the caller, through the events
        with suppress(RuntimeError):  # the client is closed
            live.fail(error)
