"""The interface of decoders of live audio."""

from collections.abc import Awaitable, Callable
from typing import Protocol

Sink = Callable[[bytes], Awaitable[None]]
"""Called with little-endian PCM16, in whole samples."""


class Decoder(Protocol):
    """Decodes audio that is split anywhere, and passes samples to its sink."""

    async def write(self, data: bytes) -> None:
        """Decode more audio.

        Raises:
            AudioError: The audio is not in the announced format.
        """

    async def settle(self) -> None:
        """Wait until the sink has all samples that can be decoded from the audio so far."""

    async def end(self) -> None:
        """End the audio, and wait until the sink has all samples.

        Raises:
            AudioError: The audio is incomplete.
        """
