"""The body of a stream's request, for awscrt: a read waits briefly when there is nothing to send."""

import threading
import time
from collections import defaultdict
from io import RawIOBase
from typing import Any

WAIT_SECONDS = 0.005
"""The length of a wait, and so the longest delay of audio that comes meanwhile."""


_read_empty: defaultdict[int, set[int]] = defaultdict(set)
"""The empty bodies that a thread has read since its last wait, by identity.

Not a `threading.local`: the threads are awscrt's, and Python treats them as new ones in every call.
"""


class PacedBody(RawIOBase):
    """Reads the SDK's body, and waits where it is empty.

    awscrt reads a body without a pause until the body ends, on the thread of its event loop, also when the body has
    nothing to send: without waits an open stream uses a whole core. All streams of a process may share that thread. So
    it waits once after it has read the bodies of all of them, not once for each.
    """

    def __init__(self, body: Any) -> None:
        """Wrap a body.

        Args:
            body: `amazon_transcribe.structures.BufferableByteStream`.
        """
        self._body = body

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with the bytes that are ready. Returns their number; 0 is the end of the body.

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
                self._wait()
                raise
        return filled

    def end(self) -> None:
        """End the body."""
        self._body.end_stream()

    def _wait(self) -> None:
        read = _read_empty[threading.get_ident()]
        if id(self) in read:
            time.sleep(WAIT_SECONDS)
            read.clear()
        read.add(id(self))
