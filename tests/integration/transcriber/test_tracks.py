"""Recordings with several sound tracks."""

import io
from fractions import Fraction

import av
import pytest
from av.audio.stream import AudioStream

from tests.integration.transcriber.conftest import Jobs
from tests.integration.transcriber.transcripts import words_stored
from tiro.speech.v1.audio_pb2 import AudioInfo, AudioTrack
from tiro.speech.v1.transcript_pb2 import WARNING_REASON_OTHER_TRACKS, Warning  # noqa: A004 - the contract's word
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_engines.fake.markers import encode

RATE = 16_000
WORDS = [range(5), range(10, 15)]
INFO = AudioInfo(
    channel_count=1,
    track=2,
    tracks=[
        AudioTrack(number=1, codec="flac", channel_count=1, language_code="eng", title="Desktop", decodable=True),
        AudioTrack(number=2, codec="flac", channel_count=1, decodable=True),
    ],
)


def movie() -> bytes:
    """A container with a sound track for each entry of `WORDS`."""
    sink = io.BytesIO()
    with av.open(sink, "w", format="matroska") as output:
        streams = [output.add_stream("flac", rate=RATE) for _ in WORDS]
        for stream in streams:
            assert isinstance(stream, AudioStream)
            stream.layout = "mono"
        for stream, words in zip(streams, WORDS, strict=True):
            frame = av.AudioFrame.from_ndarray(encode(words, gap_ms=100).reshape(1, -1), format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
            output.mux([*stream.encode(frame), *stream.encode(None)])
    return sink.getvalue()


async def transcribed(jobs: Jobs, options: TranscriptionOptions | None) -> tuple[list[str], list[Warning]]:
    """The words of a recording with two tracks, and the warnings."""
    job = await jobs.submit(movie(), options=options, info=INFO)
    await jobs.events(job)
    record = await jobs.record(job)
    return await words_stored(jobs, record), list(record.transcript.warnings)


@pytest.mark.usefixtures("worker")
async def test_the_track_of_the_probe_is_transcribed(jobs: Jobs) -> None:
    """The track that the probe has chosen is transcribed, and a warning names the other one."""
    words, (warning,) = await transcribed(jobs, None)
    assert words == [f"w{number}" for number in WORDS[1]]
    assert warning.reason == WARNING_REASON_OTHER_TRACKS
    assert '1 (flac, eng, "Desktop")' in warning.message


@pytest.mark.usefixtures("worker")
async def test_a_caller_names_the_track(jobs: Jobs) -> None:
    """The track that the caller names is transcribed without a warning."""
    words, warnings = await transcribed(jobs, TranscriptionOptions(audio_track=1))
    assert words == [f"w{number}" for number in WORDS[0]]
    assert not warnings
