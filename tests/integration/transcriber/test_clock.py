"""Times of a transcript are those of the recording's container."""

import io
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from tests.integration.transcriber.conftest import Jobs
from tiro.speech.v1.transcript_pb2 import Word
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.clock import duration
from tiro_core.jobs.transcript_pages import read_page
from tiro_engines.fake.markers import encode

RATE = 16_000
BLOCK = 4_096
PARTS = [(4.0, range(5)), (30.0, range(5, 10))]
"""Where words begin in seconds, and the words."""
GAP_MS = 400
TOLERANCE_SECONDS = 0.05


def film() -> bytes:
    """A film whose picture begins at 0, and whose sound has packets for `PARTS` alone."""
    sink = io.BytesIO()
    with av.open(sink, "w", format="matroska") as output:
        picture, sound = output.add_stream("mpeg4", rate=10), output.add_stream("pcm_s16le", rate=RATE)
        assert isinstance(picture, VideoStream)
        assert isinstance(sound, AudioStream)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sound.layout = "mono"
        image = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
        image.pts, image.time_base = 0, Fraction(1, 10)
        output.mux([*picture.encode(image), *picture.encode(None)])
        for start, words in PARTS:
            samples = encode(words, gap_ms=GAP_MS)
            samples = np.pad(samples, (0, -len(samples) % BLOCK))
            for at in range(0, len(samples), BLOCK):
                frame = av.AudioFrame.from_ndarray(samples[at : at + BLOCK].reshape(1, -1), format="s16", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = RATE, round(start * RATE) + at, Fraction(1, RATE)
                output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    return sink.getvalue()


async def transcribed(jobs: Jobs, options: TranscriptionOptions | None = None) -> tuple[Sequence[Word], float]:
    """The words of the film, and the length of what was transcribed."""
    job = await jobs.submit(film(), options=options)
    await jobs.events(job)
    record = await jobs.record(job)
    assert not record.transcript.warnings
    page = await read_page(jobs.blobs, record.tenant, job, epoch=record.transcript_epoch, index=0)
    words = [word for segment in page for word in segment.words]
    return words, record.transcript.audio_duration.ToNanoseconds() / 1e9


def start_of(words: Sequence[Word], text: str) -> float:
    """When a word begins, in seconds."""
    return next(word.start_offset.ToNanoseconds() / 1e9 for word in words if word.text == text)


@pytest.mark.usefixtures("worker")
async def test_words_are_where_the_film_has_them(jobs: Jobs) -> None:
    """A late start and a hole are silence before and between words, and nothing is said to be missing."""
    words, seconds = await transcribed(jobs)
    assert [word.text for word in words] == [f"w{number}" for number in range(10)]
    for start, numbers in PARTS:
        assert start_of(words, f"w{numbers[0]}") == pytest.approx(start, abs=TOLERANCE_SECONDS)
    assert seconds == pytest.approx(30.0 + len(encode(PARTS[1][1], gap_ms=GAP_MS)) / RATE, abs=BLOCK / RATE)


@pytest.mark.usefixtures("worker")
async def test_a_range_is_one_of_the_film(jobs: Jobs) -> None:
    """`audio_start` and `audio_end` count on the same clock."""
    words, seconds = await transcribed(jobs, TranscriptionOptions(audio_start=duration(20), audio_end=duration(31.1)))
    assert [word.text for word in words] == ["w5", "w6"]
    assert start_of(words, "w5") == pytest.approx(30.0, abs=TOLERANCE_SECONDS)
    assert seconds == pytest.approx(11.1, abs=0.01)
