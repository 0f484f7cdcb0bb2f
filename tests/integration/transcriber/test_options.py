"""Options of jobs in a worker."""

from typing import Any

import pytest

from tests.integration.transcriber.conftest import Jobs, Start, recording
from tests.integration.transcriber.transcripts import words_stored
from tiro.speech.v1.transcript_pb2 import Segment
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_core.clock import duration
from tiro_core.jobs.transcript_pages import read_page

GAP_MS = 400
WORD_SECONDS = 0.6
WORDS = 100


async def transcribed(jobs: Jobs, **options: Any) -> tuple[list[str], float]:
    """The words of a recording, and the number of transcribed seconds."""
    asked = TranscriptionOptions(**options)
    job = await jobs.submit(recording(range(WORDS), gap_ms=GAP_MS), options=asked)
    await jobs.events(job)
    record = await jobs.record(job)
    return await words_stored(jobs, record), record.transcript.audio_duration.ToNanoseconds() / 1e9


@pytest.mark.usefixtures("worker")
async def test_a_range_of_a_recording(jobs: Jobs) -> None:
    """Only words within the range are transcribed."""
    words, seconds = await transcribed(jobs, audio_start=duration(6), audio_end=duration(12))
    assert words == [f"w{number}" for number in range(10, 20)]
    assert seconds == pytest.approx(6)


@pytest.mark.usefixtures("worker")
async def test_a_range_may_be_open_at_either_end(jobs: Jobs) -> None:
    """A range without an end reaches to the end of the recording, one without a start begins at its start."""
    length = WORDS * WORD_SECONDS
    words, seconds = await transcribed(jobs, audio_start=duration(54))
    assert words == [f"w{number}" for number in range(90, WORDS)]
    assert seconds == pytest.approx(length - 54, abs=0.5)
    words, seconds = await transcribed(jobs, audio_end=duration(3))
    assert words == [f"w{number}" for number in range(5)]
    assert seconds == 3.0
    words, seconds = await transcribed(jobs, audio_end=duration(3600))
    assert len(words) == WORDS
    assert seconds == pytest.approx(length, abs=0.5)


@pytest.mark.usefixtures("worker")
async def test_times_are_those_of_the_whole_recording(jobs: Jobs) -> None:
    """Times of words in a range are those of the whole recording."""
    asked = TranscriptionOptions(audio_start=duration(6))
    job = await jobs.submit(recording(range(WORDS), gap_ms=GAP_MS), options=asked)
    await jobs.events(job)
    record = await jobs.record(job)
    page = await read_page(jobs.blobs, record.tenant, job, epoch=record.transcript_epoch, index=0)
    first: Segment = page[0]
    assert first.start_offset.ToNanoseconds() / 1e9 == pytest.approx(6.0, abs=0.02)


async def test_a_multilingual_recording_loses_no_word(jobs: Jobs, start_worker: Start) -> None:
    """A multilingual recording is transcribed in short windows, without losing words between them."""
    await start_worker()
    words, _ = await transcribed(jobs, multilingual=True)
    assert words == [f"w{number}" for number in range(WORDS)]
