"""How much speech there is in sound."""

import numpy as np
from pymicro_vad import MicroVad

STEP_SAMPLES = 160
"""The detector takes 10 ms at 16 kHz at a time."""
STEP_BYTES = 2 * STEP_SAMPLES
STEP_SECONDS = 0.01

SPEECH_PROBABILITY_MIN = 0.9
"""Music with singing reaches 0.5 for a third of its time, and 0.95 for a fifteenth; speech 0.95 for half and more."""

SILENCE_PEAK_MAX = 33
"""Peak of int16 samples, -60 dB of full scale: nothing as faint is asked about."""

WARM_UP_STEPS = 80
"""Steps until the detector answers."""


class SpeechMeter:
    """Counts the seconds of speech in int16 mono at 16 kHz.

    Attributes:
        speech_seconds: the speech so far.
        heard_seconds: the sound so far.
    """

    def __init__(self) -> None:
        self._detector: MicroVad | None = None
        self._rest = b""
        self.speech_seconds = 0.0
        self.heard_seconds = 0.0

    def push(self, pcm: bytes) -> None:
        """Listen to samples in the machine's byte order."""
        data = self._rest + pcm
        whole = len(data) - len(data) % STEP_BYTES
        self._rest = data[whole:]
        self.heard_seconds += whole / STEP_BYTES * STEP_SECONDS
        if not whole or np.abs(np.frombuffer(data[:whole], dtype=np.int16).astype(np.int32)).max() <= SILENCE_PEAK_MAX:
            return
        detector = self._detector = self._detector or _warm_detector()
        for start in range(0, whole, STEP_BYTES):
            if detector.process_10ms(data[start : start + STEP_BYTES]) >= SPEECH_PROBABILITY_MIN:
                self.speech_seconds += STEP_SECONDS


def _warm_detector() -> MicroVad:
    detector = MicroVad()
    for _ in range(WARM_UP_STEPS):
        detector.process_10ms(bytes(STEP_BYTES))
    return detector
