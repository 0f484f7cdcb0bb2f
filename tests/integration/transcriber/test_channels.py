"""Recordings with separate channels."""

import io
import wave

import numpy as np
import pytest

from tests.integration.transcriber.conftest import Jobs
from tiro.speech.v1.audio_pb2 import AudioInfo
from tiro.transcription.v1.transcription_pb2 import Transcription, TranscriptionOptions
from tiro_core.jobs.transcript_pages import read_page
from tiro_engines.fake.markers import encode

LEFT, RIGHT = (1, 2, 3), (11, 12)


def call() -> bytes:
    """A recording of two channels whose words alternate, with pauses that make each word a segment."""
    pause = np.zeros(16_000, np.int16)
    left = np.concatenate([*(piece for word in LEFT for piece in (encode([word]), pause, pause)), pause])
    right = np.concatenate([pause, *(piece for word in RIGHT for piece in (encode([word]), pause, pause))])
    both = np.zeros((max(len(left), len(right)), 2), np.int16)
    both[: len(left), 0], both[: len(right), 1] = left, right
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(2)
        target.setsampwidth(2)
        target.setframerate(16_000)
        target.writeframes(both.tobytes())
    return file.getvalue()


@pytest.mark.usefixtures("worker")
async def test_each_channel_is_transcribed_separately(jobs: Jobs) -> None:
    """Segments of both channels are in the order of their times, and have their channel."""
    job = await jobs.submit(
        call(), options=TranscriptionOptions(separate_channels=True), info=AudioInfo(channel_count=2)
    )
    await jobs.events(job)
    record = await jobs.record(job)
    assert record.state == Transcription.STATE_SUCCEEDED
    page = await read_page(jobs.blobs, record.tenant, job, epoch=record.transcript_epoch, index=0)
    assert [(segment.text, segment.channel) for segment in page] == [
        ("w1", 1),
        ("w11", 2),
        ("w2", 1),
        ("w12", 2),
        ("w3", 1),
    ]
