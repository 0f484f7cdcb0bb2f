"""Cutting a recording into pieces: bounded, and cut where it is quietest, so that no word is cut."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tiro_engines.interface import SAMPLE_RATE

SEARCH_SECONDS = 20
"""The cut lies in the last seconds of a full piece."""
FRAME_SECONDS = 0.25
"""The quiet that is looked for: longer than the gaps inside words."""

Pcm16 = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """A piece of a recording. `offset` is where its first sample lies in the recording."""

    samples: Pcm16
    offset: int

    @property
    def end(self) -> int:
        """Where the next piece begins."""
        return self.offset + len(self.samples)


async def cut(chunks: AsyncIterator[Pcm16], seconds_max: int, *, start: int = 0) -> AsyncGenerator[AudioChunk, None]:
    """Cut PCM16 at `SAMPLE_RATE` into pieces of at most `seconds_max`, without gap or overlap.

    Args:
        chunks: The recording from its beginning.
        seconds_max: The longest piece.
        start: How many samples to leave out at the beginning.
    """
    longest = seconds_max * SAMPLE_RATE
    pending: list[Pcm16] = []
    held, offset, skip = 0, start, start
    async for chunk in chunks:
        kept = chunk[skip:]
        skip = max(0, skip - len(chunk))
        pending.append(kept)
        held += len(kept)
        while held >= longest:
            samples = np.concatenate(pending)
            end = _quietest(samples[:longest])
            yield AudioChunk(samples[:end], offset)
            offset += end
            pending = [samples[end:]]
            held -= end
    if held:
        yield AudioChunk(np.concatenate(pending), offset)


def _quietest(samples: Pcm16) -> int:
    """The middle of the frame with the least energy near the end of `samples`."""
    frame = int(FRAME_SECONDS * SAMPLE_RATE)
    count = int(SEARCH_SECONDS / FRAME_SECONDS)
    tail = samples[-count * frame :].astype(np.float32).reshape(-1, frame)
    quietest = int(np.argmin(np.square(tail).mean(axis=1)))
    return len(samples) - len(tail) * frame + quietest * frame + frame // 2
