"""Which sound track of a recording is heard."""

import io
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, NamedTuple

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.audio.stream import AudioStream
from av.stream import Disposition

from tests.unit.audio.timed_media import MPEGTS, beeps, decoding_time
from tiro_core.audio.decode import decode
from tiro_core.audio.errors import AudioError
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.probe import probe

AsFile = Callable[[bytes], BinaryIO]
Pcm16 = npt.NDArray[np.int16]

SAMPLES = Path(__file__).parents[3] / "samples"
RATE = 16_000
SECONDS = 8


class Track(NamedTuple):
    """One sound track.

    Attributes:
        samples: int16 mono at `RATE`.
        codec: FFmpeg's name of the encoder.
        is_default: whether a player takes it.
        title: its title.
        language: its language.
    """

    samples: Pcm16
    codec: str = "aac"
    is_default: bool = False
    title: str = ""
    language: str = ""


def sample(name: str) -> Pcm16:
    """Return the first `SECONDS` of a sample recording."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(str(SAMPLES / name)) as source:
        parts = [piece.to_ndarray()[0] for frame in source.decode(audio=0) for piece in resampler.resample(frame)]
    return np.concatenate(parts)[: SECONDS * RATE]


def movie(container: str, tracks: Sequence[Track]) -> bytes:
    """Return a container with these sound tracks."""
    sink = io.BytesIO()
    with av.open(sink, "w", format=container) as output:
        streams = [_stream(output, track) for track in tracks]
        packets = [packet for stream, track in zip(streams, tracks, strict=True) for packet in _encoded(stream, track)]
        for packet in sorted(packets, key=decoding_time):
            output.mux(packet)
    return sink.getvalue()


def _stream(output: av.container.OutputContainer, track: Track) -> AudioStream:
    stream = output.add_stream(track.codec, rate=RATE)
    assert isinstance(stream, AudioStream)
    stream.layout = "mono"
    stream.disposition = Disposition.default if track.is_default else Disposition(0)
    stream.metadata.update({"title": track.title, "language": track.language})
    return stream


def _encoded(stream: AudioStream, track: Track) -> "list[av.Packet[AudioStream]]":
    resampler = av.AudioResampler(
        format=stream.format.name, layout="mono", rate=RATE, frame_size=stream.frame_size or 1024
    )
    frame = av.AudioFrame.from_ndarray(track.samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    pieces = [*resampler.resample(frame), *resampler.resample(None)]
    return [packet for piece in [*pieces, None] for packet in stream.encode(piece)]


SILENCE = np.zeros(SECONDS * RATE, np.int16)
NOISE = np.random.default_rng(5).normal(0, 2_000, SECONDS * RATE).astype(np.int16)
HUM = (9_000 * np.sin(2 * np.pi * 100 * np.arange(SECONDS * RATE) / RATE)).astype(np.int16)


@pytest.mark.parametrize(
    ("container", "other"),
    [("mp4", SILENCE), ("matroska", SILENCE), ("mpegts", SILENCE), ("mp4", NOISE), ("mp4", HUM)],
    ids=["mp4", "matroska", "mpegts", "noise", "hum"],
)
@pytest.mark.parametrize("speech_first", [True, False])
async def test_the_track_with_speech_is_heard(
    *, launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, container: str, other: Pcm16, speech_first: bool
) -> None:
    """A track without speech is not heard where another one has some, whichever a player would take."""
    speech = Track(sample("dictation.wav"))
    rest = Track(other, is_default=True)
    tracks = [speech, rest] if speech_first else [rest, speech]
    info = await probe(launcher, as_file(movie(container, tracks)), limits=limits)
    assert info.track == (1 if speech_first else 2)
    assert [track.speech_seconds > 1 for track in info.tracks] == [speech_first, not speech_first]


@pytest.mark.parametrize("default", [0, 1])
async def test_the_default_of_two_languages_is_heard(
    *, launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile, default: int
) -> None:
    """Where several tracks have speech, the one that a player takes is heard; all are described."""
    names = [("dictation.wav", "eng", "Original"), ("spanish.flac", "spa", "")]
    tracks = [
        Track(sample(name), is_default=number == default, title=title, language=language)
        for number, (name, language, title) in enumerate(names)
    ]
    info = await probe(launcher, as_file(movie("matroska", tracks)), limits=limits)
    assert info.track == default + 1
    assert [(track.number, track.language, track.title) for track in info.tracks] == [
        (1, "eng", "Original"),
        (2, "spa", ""),
    ]
    assert all(track.duration_seconds == pytest.approx(SECONDS, abs=0.1) for track in info.tracks)


async def test_a_recording_with_one_track_has_no_list(
    launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile
) -> None:
    """A recording with one sound track is not listened to."""
    info = await probe(launcher, as_file(beeps(MPEGTS, [0.0], picture_seconds=1.0)), limits=limits)
    assert (info.track, info.tracks) == (0, ())


async def test_a_named_track_is_decoded(launcher: MediaLauncher, limits: DecodeLimits, as_file: AsFile) -> None:
    """Decoding takes the track with the number that is named, and refuses a number that is none."""
    file = as_file(movie("matroska", [Track(HUM), Track(SILENCE)]))
    loud = []
    for number in (1, 2):
        async with decode(launcher, file, track=number, limits=limits) as stream:
            loud.append(int(np.abs(np.concatenate([chunk async for chunk in stream])).max()))
    assert loud[0] > 5_000
    assert loud[1] < 10
    with pytest.raises(AudioError) as refusal:
        async with decode(launcher, file, track=3, limits=limits) as stream:
            await anext(stream)
    assert refusal.value.reason == "AUDIO_TRACK_NOT_FOUND"
