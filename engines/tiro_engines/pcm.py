"""16-bit samples, for engines whose library or service needs them."""

import numpy as np
from numpy.typing import NDArray

INT16_FULL_SCALE = 32768.0
"""The 16-bit value of a float sample of 1.0."""


def float32_to_pcm16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Scale samples in [-1, 1] to PCM16, shape (n,). Louder samples are clipped."""
    scaled: NDArray[np.float32] = np.clip(samples * INT16_FULL_SCALE, -INT16_FULL_SCALE, INT16_FULL_SCALE - 1)
    return np.rint(scaled).astype(np.int16)
