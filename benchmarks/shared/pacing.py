"""Speech as from a microphone: PCM16 in frames of 100 ms, in real time."""

import asyncio
import time
from collections.abc import AsyncIterator

RATE = 16_000
"""Samples a second."""
FRAME_SECONDS = 0.1
FRAME_BYTES = round(2 * RATE * FRAME_SECONDS)


def seconds_of(pcm: bytes) -> float:
    """The duration of PCM16."""
    return len(pcm) / 2 / RATE


async def paced(pcm: bytes, begun: float) -> AsyncIterator[bytes]:
    """Yield each frame when its last sample has been spoken, for speech that began at `begun` (monotonic seconds)."""
    for number in range(-(-len(pcm) // FRAME_BYTES)):
        # By the clock, not by the previous frame: the delay of a frame is not added to the next one.
        await asyncio.sleep(max(0.0, begun + (number + 1) * FRAME_SECONDS - time.monotonic()))
        yield pcm[number * FRAME_BYTES : (number + 1) * FRAME_BYTES]
