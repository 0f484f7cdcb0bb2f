"""Recordings without speech in the accuracy benchmark."""

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from benchmarks.live.accuracy import Entry, measure
from tiro_engines.interface import SAMPLE_RATE, EngineSettings, RecognitionOptions, SessionOptions
from tiro_engines.registry import find_engine


def write_silence(file: Path) -> None:
    """Write one second of silence."""
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes(bytes(2 * SAMPLE_RATE))


def write_picture(file: Path) -> None:
    """Write a container with a picture and no audio track."""
    with av.open(str(file), "w", format="mp4") as output:
        stream = output.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 10)
        output.mux([*stream.encode(frame), *stream.encode(None)])


def test_a_refused_recording_counts_as_without_words(tmp_path: Path) -> None:
    """A container without an audio track is counted, with its reason; the other recordings are measured."""
    silence, picture = tmp_path / "silence.wav", tmp_path / "picture.mp4"
    write_silence(silence)
    write_picture(picture)
    entries = [Entry(file, "container", "", silent=True) for file in (picture, silence)]
    engine = find_engine("fake").load("markers", EngineSettings(models_dir=""))
    report = measure(engine, entries, SessionOptions(RecognitionOptions()), interval=0.8)
    assert report.splitlines()[-1] == "| 2 | 0 | 1 | 1 (NO_AUDIO_STREAM) |"
