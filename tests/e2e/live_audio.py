"""Audio of live streams: in real time, or without delay."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
FRAME_SECONDS = 0.1


async def paced(samples: NDArray[np.int16], *, speed: float = 1.0) -> AsyncIterator[bytes]:
    """Samples in real time, or `speed` times as fast."""
    frame = int(RATE * FRAME_SECONDS)
    begun = asyncio.get_running_loop().time()
    for index, begin in enumerate(range(0, len(samples), frame)):
        due = begun + index * FRAME_SECONDS / speed
        await asyncio.sleep(due - asyncio.get_running_loop().time())
        yield samples[begin : begin + frame].tobytes()


async def at_once(data: bytes, size: int = 4000) -> AsyncIterator[bytes]:
    """Bytes without delay."""
    for begin in range(0, len(data), size):
        yield data[begin : begin + size]
