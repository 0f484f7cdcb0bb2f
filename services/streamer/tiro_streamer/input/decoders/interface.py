"""What every decoder of live audio does."""

from collections.abc import Awaitable, Callable
from typing import Protocol

Sink = Callable[[bytes], Awaitable[None]]
"""Takes little-endian PCM16, whole samples."""


class Decoder(Protocol):
    """Takes encoded audio, cut anywhere, and gives samples to its sink."""

    async def write(self, data: bytes) -> None:
        """Take more audio.

        Raises:
            AudioError: It is not what was announced.
        """

    async def settle(self) -> None:
        """Wait until the sink has got what can be decoded of the audio so far."""

    async def end(self) -> None:
        """Wait until the sink has got everything. No more audio comes.

        Raises:
            AudioError: The audio is incomplete.
        """
