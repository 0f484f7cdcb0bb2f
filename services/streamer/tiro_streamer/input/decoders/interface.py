"""The interface of decoders of live audio."""

from collections.abc import Awaitable, Callable
from typing import Protocol

Sink = Callable[[bytes], Awaitable[None]]
"""Takes little-endian PCM16, in whole samples."""


class Decoder(Protocol):
    """Takes encoded audio, cut anywhere, and passes samples to its sink."""

    async def write(self, data: bytes) -> None:
        """Take more audio.

        Raises:
            AudioError: It is not what was announced.
        """

    async def settle(self) -> None:
        """Wait until the sink has what can be decoded of the audio so far."""

    async def end(self) -> None:
        """Wait until the sink has everything. No more audio comes.

        Raises:
            AudioError: The audio is incomplete.
        """
