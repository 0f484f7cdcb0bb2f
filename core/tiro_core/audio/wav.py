"""Headers of wav files whose samples are written elsewhere."""

import io
import wave

from tiro_core.audio.pcm import SAMPLE_BYTES


def wav_header(rate_hz: int, samples: int) -> bytes:
    """The header of a wav file with a number of mono PCM16 samples."""
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(SAMPLE_BYTES)
        target.setframerate(rate_hz)
        target.setnframes(samples)
        target.writeframesraw(b"")
        return file.getvalue()
