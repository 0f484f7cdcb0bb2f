"""The part of a recording that a job asks for: from `audio_start` to `audio_end`."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.audio.report import DecodeReport
from tiro_engines.interface import SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Decoded:
    """What was decoded for a job."""

    seconds: float
    """How much of it was asked for."""
    report: DecodeReport | None
    """How decoding went. None when it was not needed to the end."""


class AudioRange:
    """Which samples of a recording a job asks for.

    Attributes:
        start: The first one.
        end: The first one that is not asked for; None goes to the end.
    """

    def __init__(self, options: TranscriptionOptions) -> None:
        self.start = _samples(options.audio_start.ToNanoseconds())
        self.end = _samples(options.audio_end.ToNanoseconds()) if options.HasField("audio_end") else None

    async def until_end(self, chunks: AsyncIterator[NDArray[np.int16]]) -> AsyncGenerator[NDArray[np.int16], None]:
        """The samples up to the end of the excerpt; what is before its start is still there."""
        position = 0
        async for chunk in chunks:
            if self.end is not None and position + len(chunk) >= self.end:
                yield chunk[: self.end - position]
                return
            position += len(chunk)
            yield chunk

    def decoded(self, report: DecodeReport | None) -> Decoded:
        """What was decoded, when the end of the excerpt or of the recording is reached."""
        if report is not None:
            return Decoded(max(0.0, report.decoded_duration_seconds - self.start / SAMPLE_RATE), report)
        if self.end is None:
            raise AssertionError("a decoding that went to the end has a report")
        return Decoded((self.end - self.start) / SAMPLE_RATE, None)


def _samples(nanoseconds: int) -> int:
    return round(nanoseconds * SAMPLE_RATE / 1_000_000_000)
