"""The body of a stream's request, for awscrt: reading rests where there is nothing to send."""

import threading
import time
from collections import defaultdict
from io import RawIOBase
from typing import Any

REST_SECONDS = 0.005
"""The longest delay of audio that comes during a rest."""


_read_empty: defaultdict[int, set[int]] = defaultdict(set)
"""The empty bodies that a thread has read since it rested, by identity.

Not a `threading.local`: these threads are not Python's own, and are new to it in every call.
"""


class RestingBody(RawIOBase):
    """Reads the SDK's body, and rests where it is empty.

    awscrt reads a body that has nothing to send again and again, on the thread of its event loop, until the body ends:
    an open stream takes a core. All streams of a process may share that thread, so it does not rest in each of them,
    but once it has read them all.
    """

    def __init__(self, body: Any) -> None:
        """Wrap a body.

        Args:
            body: `amazon_transcribe.structures.BufferableByteStream`.
        """
        self._body = body

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with what there is. Returns the number of bytes; 0 is the end of the body.

        Raises:
            BlockingIOError: There is nothing to read now.
        """
        view = memoryview(buffer).cast("B")
        filled = 0
        try:
            while filled < len(view) and (got := self._body.readinto(view[filled:])):
                filled += got
        except BlockingIOError:
            if not filled:
                self._rest()
                raise
        return filled

    def end(self) -> None:
        """End the body."""
        self._body.end_stream()

    def _rest(self) -> None:
        read = _read_empty[threading.get_ident()]
        if id(self) in read:
            time.sleep(REST_SECONDS)
            read.clear()
        read.add(id(self))
