"""Sample speech for the end-to-end tests, and the comparison of text with it."""

import io
import json
import wave
from pathlib import Path
from typing import cast

import av
import jiwer
import numpy as np
from numpy.typing import NDArray
from whisper_normalizer.english import EnglishTextNormalizer

SAMPLES = Path(__file__).parents[2] / "samples"


def reference(name: str) -> str:
    """The transcript of a sample."""
    for line in (SAMPLES / "MANIFEST.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["file"] == name:
            return str(entry["ref"])
    raise LookupError(name)


def error_rate(text: str, name: str) -> float:
    """Word error rate of `text` against the transcript of a sample."""
    normalize = EnglishTextNormalizer()
    return float(jiwer.wer(normalize(reference(name)), normalize(text)))


def pcm16(name: str, rate: int = 16_000) -> NDArray[np.int16]:
    """A sample as mono PCM16."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    with av.open(str(SAMPLES / name)) as container:
        frames = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def encoded(name: str, container: str, codec: str, rate: int = 16_000) -> bytes:
    """A sample in another container and codec."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as target:
        stream = cast("av.AudioStream", target.add_stream(codec, rate=rate))
        layout = "mono"
        stream.layout = layout
        frame = av.AudioFrame.from_ndarray(pcm16(name, rate)[None, :], format="s16", layout=layout)
        frame.sample_rate = rate
        fifo = av.AudioFifo()
        resampler = av.AudioResampler(format=stream.format, layout=layout, rate=rate)
        for piece in resampler.resample(frame):
            fifo.write(piece)
        size = stream.frame_size or 1024
        while chunk := fifo.read(size, partial=True):
            for packet in stream.encode(chunk):
                target.mux(packet)
        for packet in stream.encode(None):
            target.mux(packet)
    return file.getvalue()


def wav(samples: NDArray[np.int16], rate: int = 16_000) -> bytes:
    """Samples as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(rate)
        target.writeframes(samples.tobytes())
    return file.getvalue()
