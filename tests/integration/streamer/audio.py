"""Audio of sessions: a tone, and its encodings."""

import io

import av
import numpy as np
from numpy.typing import NDArray


def tone(seconds: float, rate: int) -> NDArray[np.int16]:
    """A tone at 440 Hz."""
    times = np.arange(round(seconds * rate)) / rate
    return np.asarray(8000 * np.sin(2 * np.pi * 440 * times), dtype=np.int16)


def encoded(samples: NDArray[np.int16], rate: int, *, codec: str, container: str) -> bytes:
    """The samples as a file of another format."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = rate
        output.mux([*stream.encode(frame), *stream.encode(None)])
    return buffer.getvalue()
