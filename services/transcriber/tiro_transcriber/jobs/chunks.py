"""Splitting a recording into chunks of bounded length, at the quietest moment, so that no word is divided."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tiro_engines.interface import SAMPLE_RATE

SEARCH_SECONDS = 20
"""The last seconds of a full chunk, within which it ends."""
FRAME_SECONDS = 0.25
"""The length of the quiet at which a chunk ends: longer than the gaps within words."""

Pcm16 = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Consecutive samples of a recording, shape (n,)."""

    samples: Pcm16
    offset: int
    """The position of the first sample in the recording."""

    @property
    def end(self) -> int:
        """The position after the last sample."""
        return self.offset + len(self.samples)


async def split(audio: AsyncIterator[Pcm16], seconds_max: int, *, start: int = 0) -> AsyncGenerator[AudioChunk, None]:
    """Split PCM16 at `SAMPLE_RATE` into chunks without gaps or overlaps.

    Args:
        audio: The recording from its beginning.
        seconds_max: The longest chunk.
        start: The position of the first sample of the first chunk.
    """
    longest = seconds_max * SAMPLE_RATE
    pending: list[Pcm16] = []
    count, offset, skip = 0, start, start
    async for samples in audio:
        kept = samples[skip:]
        skip = max(0, skip - len(samples))
        pending.append(kept)
        count += len(kept)
        while count >= longest:
            joined = np.concatenate(pending)
            end = _quietest(joined[:longest])
            yield AudioChunk(joined[:end], offset)
            offset += end
            pending = [joined[end:]]
            count -= end
    if count:
        yield AudioChunk(np.concatenate(pending), offset)


def _quietest(samples: Pcm16) -> int:
    """The middle of the frame with the least energy among the last `SEARCH_SECONDS`."""
    frame = int(FRAME_SECONDS * SAMPLE_RATE)
    count = int(SEARCH_SECONDS / FRAME_SECONDS)
    tail = samples[-count * frame :].astype(np.float32).reshape(-1, frame)
    quietest = int(np.argmin(np.square(tail).mean(axis=1)))
    return len(samples) - len(tail) * frame + quietest * frame + frame // 2
