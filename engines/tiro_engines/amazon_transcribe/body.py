"""The body of a stream's request, as awscrt reads it: at leisure where there is nothing to send."""

import threading
import time
from collections import defaultdict
from io import RawIOBase
from typing import Any

REST_SECONDS = 0.005
"""So much later at most is sent what came meanwhile."""


_asked: defaultdict[int, set[int]] = defaultdict(set)
"""The empty bodies that a thread has asked since it rested, by identity. (`threading.local` forgets: these threads are
not Python's own, and are new to it in every call.)
"""


class RestingBody(RawIOBase):
    """Reads the SDK's body, and rests where it is empty.

    awscrt asks a body that has nothing to send again at once, on the thread of its event loop, for as long as it may
    go on: an open stream takes a core. All streams of a process may share that thread, so it does not rest in each of
    them, but once it has asked them all.
    """

    def __init__(self, body: Any) -> None:
        """Prepare to read.

        Args:
            body: `amazon_transcribe.structures.BufferableByteStream`.
        """
        self._body = body

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with what there is; 0 is the end of the body.

        Raises:
            BlockingIOError: There is nothing now.
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
        """Say that nothing more comes."""
        self._body.end_stream()

    def _rest(self) -> None:
        asked = _asked[threading.get_ident()]
        if id(self) in asked:
            time.sleep(REST_SECONDS)
            asked.clear()
        asked.add(id(self))
