"""The range of a recording that a job asks for: from `audio_start` to `audio_end`."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.audio.report import DecodeReport
from tiro_engines.interface import SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class DecodeOutcome:
    """The result of decoding a range."""

    seconds: float
    """The length of the range."""
    report: DecodeReport | None
    """The decoder's report. None where the recording continues after the range."""


class AudioRange:
    """A range of samples at `SAMPLE_RATE`.

    Attributes:
        start: Its first sample.
        end: The sample after its last one. None: it ends with the recording.
    """

    def __init__(self, options: TranscriptionOptions) -> None:
        self.start = _samples(options.audio_start.ToNanoseconds())
        self.end = _samples(options.audio_end.ToNanoseconds()) if options.HasField("audio_end") else None

    async def until_end(self, audio: AsyncIterator[NDArray[np.int16]]) -> AsyncGenerator[NDArray[np.int16], None]:
        """The samples of a recording from its beginning to the end of the range."""
        position = 0
        async for samples in audio:
            if self.end is not None and position + len(samples) >= self.end:
                yield samples[: self.end - position]
                return
            position += len(samples)
            yield samples

    def outcome(self, report: DecodeReport | None) -> DecodeOutcome:
        """The outcome, once the end of the range or of the recording is reached.

        Args:
            report: The decoder's report, if it has reached the end of the recording.
        """
        if report is not None:
            return DecodeOutcome(max(0.0, report.decoded_duration_seconds - self.start / SAMPLE_RATE), report)
        if self.end is None:
            raise AssertionError("a decoding that has reached the end has a report")
        return DecodeOutcome((self.end - self.start) / SAMPLE_RATE, None)


def _samples(nanoseconds: int) -> int:
    return round(nanoseconds * SAMPLE_RATE / 1_000_000_000)
