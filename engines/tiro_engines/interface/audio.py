"""The format of the audio that engines process."""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:  # ingest knows the interface, and needs no arrays: numpy would cost it 10 MB
    import numpy as np
    from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""In Hz. Every engine processes mono float32 samples in [-1, 1] at this rate."""

WINDOW_SECONDS_MAX = 600
"""The longest window that `Engine.transcribe` gets: it bounds memory, and the time that a cancellation takes."""

Samples: TypeAlias = "NDArray[np.float32]"
"""Shape (n,), mono, `SAMPLE_RATE`."""
