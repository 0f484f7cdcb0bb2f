"""A recording decoded as in the services: in a confined process, and refused for the same reasons."""

import asyncio
from pathlib import Path

import numpy as np

from tiro_core.audio.decode import decode
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.pcm import pcm16_to_float32
from tiro_engines.interface import SAMPLE_RATE, Samples


def decoded(recording: Path) -> Samples:
    """Decode a recording in any format that is accepted.

    Raises:
        AudioError: The services refuse it, with this reason.
    """
    return asyncio.run(_decoded(recording))


async def _decoded(recording: Path) -> Samples:
    with recording.open("rb") as file:
        async with MediaLauncher() as launcher, decode(launcher, file, rate=SAMPLE_RATE, limits=DecodeLimits()) as pcm:
            pieces = [piece async for piece in pcm]
    return pcm16_to_float32(np.concatenate(pieces))
