"""One file of the hostile corpus, and encoders of valid files."""

import io
import struct
from typing import NamedTuple

import av
import numpy as np

RATE_HZ = 16_000


class HostileFile(NamedTuple):
    """One file of the corpus.

    Attributes:
        name: kind and variant, for the test's id.
        data: its bytes.
        reason: the reason with which it must be refused; empty if it must be decoded, None if both are right.
    """

    name: str
    data: bytes
    reason: str | None = None


def encode(container: str, codec: str, options: dict[str, str] | None = None) -> bytes:
    """Return one second of a tone."""
    samples = (9_000 * np.sin(np.arange(RATE_HZ) / 7)).astype(np.int16).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
    frame.sample_rate = RATE_HZ
    sink = io.BytesIO()
    with av.open(sink, "w", format=container, options={"fflags": "+bitexact", **(options or {})}) as output:
        stream = output.add_stream(codec, rate=RATE_HZ)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        resampler = av.AudioResampler(
            format=stream.format.name, layout="mono", rate=RATE_HZ, frame_size=stream.frame_size or 1024
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return sink.getvalue()


def wav(
    *, channels: int = 1, rate: int = RATE_HZ, payload: bytes = bytes(2 * RATE_HZ), claimed: int | None = None
) -> bytes:
    """Return a 16-bit wav file whose header has these values, right or wrong."""
    claimed = len(payload) if claimed is None else claimed
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36, b"WAVE", b"fmt ", 16, 1, channels, rate, 32_000, 2, 16)
    return head + struct.pack("<4sI", b"data", claimed) + payload
