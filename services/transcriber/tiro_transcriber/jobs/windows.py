"""Cutting a recording into windows for the engine: bounded, and cut where it is quietest, so that no word is cut."""

from collections.abc import AsyncGenerator, AsyncIterator

import numpy as np
from numpy.typing import NDArray

from tiro_core.audio.pcm import pcm16_to_float32
from tiro_transcriber.engines.interface import SAMPLE_RATE, Window

SEARCH_SECONDS = 20
"""The cut lies in the last seconds of a full window."""
FRAME_SECONDS = 0.25
"""The quiet that is looked for: longer than the gaps inside words."""

Pcm16 = NDArray[np.int16]


async def cut_windows(chunks: AsyncIterator[Pcm16], window_seconds: int) -> AsyncGenerator[Window, None]:
    """Cut PCM16 at `SAMPLE_RATE` into windows of at most `window_seconds`, without gap or overlap."""
    longest = window_seconds * SAMPLE_RATE
    pending: list[Pcm16] = []
    held = offset = 0
    async for chunk in chunks:
        pending.append(chunk)
        held += len(chunk)
        while held >= longest:
            samples = np.concatenate(pending)
            cut = _quietest(samples[:longest])
            yield Window(pcm16_to_float32(samples[:cut]), offset)
            offset += cut
            pending = [samples[cut:]]
            held -= cut
    if held:
        yield Window(pcm16_to_float32(np.concatenate(pending)), offset)


def _quietest(samples: Pcm16) -> int:
    """The middle of the frame with the least energy near the end of `samples`."""
    frame = int(FRAME_SECONDS * SAMPLE_RATE)
    count = int(SEARCH_SECONDS / FRAME_SECONDS)
    tail = samples[-count * frame :].astype(np.float32).reshape(-1, frame)
    quietest = int(np.argmin(np.square(tail).mean(axis=1)))
    return len(samples) - len(tail) * frame + quietest * frame + frame // 2
