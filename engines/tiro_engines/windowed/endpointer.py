"""Endpointing: finds the beginnings, pauses and ends of utterances by the speech probabilities of frames."""

from dataclasses import dataclass

from tiro_engines.interface import SAMPLE_RATE, Endpointing, SpeechEnded, SpeechStarted

HYSTERESIS = 0.15
"""Speech continues until its probability is this much below the threshold, as in Silero's own segmentation."""

SPEECH_SAMPLES_MIN = SAMPLE_RATE * 96 // 1000
"""The shortest speech that begins an utterance: clicks are shorter."""

PAUSE_SAMPLES_MIN = SAMPLE_RATE * 98 // 1000
"""The shortest silence at which an utterance may be split, as in Silero's own segmentation."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence inside an utterance."""

    start: int
    """Its first sample."""
    end: int
    """The sample after its last one."""

    @property
    def is_long(self) -> bool:
        """Whether the utterance may be split in it."""
        return self.end - self.start >= PAUSE_SAMPLES_MIN

    @property
    def middle(self) -> int:
        """The sample at which to split."""
        return (self.start + self.end) // 2


class Endpointer:
    """The endpointing of one session. All positions are samples of the session."""

    def __init__(self, options: Endpointing) -> None:
        self.configure(options)
        self._candidate: int | None = None
        self._pauses: list[Pause] = []
        self.speaking = False
        self.speech_end = 0
        """The end of the last frame of speech."""

    def configure(self, options: Endpointing) -> None:
        """Use other options from the next frame on."""
        self._threshold = options.threshold
        self._floor = max(options.threshold - HYSTERESIS, 0.01)
        self._silence = SAMPLE_RATE * options.silence_ms // 1000

    def accept_frame(self, start: int, end: int, probability: float) -> SpeechStarted | SpeechEnded | None:
        """Process the frame from `start` to `end`. Returns whether an utterance began or ended with it."""
        if self.speaking:
            return self._accept_in_speech(start, end, probability)
        return self._accept_in_silence(start, end, probability)

    def pauses(self, after: int, now: int) -> list[Pause]:
        """The pauses that begin after a sample, with the one that may last until `now`."""
        pauses = (*self._pauses, Pause(self.speech_end, now))
        return [pause for pause in pauses if pause.start > after and pause.is_long]

    def split(self, at: int) -> None:
        """Forget the pauses before a sample: the utterance was split there and continues."""
        self._pauses = [pause for pause in self._pauses if pause.start > at]

    def reset(self) -> None:
        """End the utterance, and forget its pauses."""
        self.speaking = False
        self._candidate = None
        self._pauses.clear()

    def _accept_in_silence(self, start: int, end: int, probability: float) -> SpeechStarted | None:
        if probability < self._threshold:
            self._candidate = None
            return None
        if self._candidate is None:
            self._candidate = start
        if end - self._candidate < SPEECH_SAMPLES_MIN:
            return None
        self.speaking, self.speech_end = True, end
        return SpeechStarted(self._candidate)

    def _accept_in_speech(self, start: int, end: int, probability: float) -> SpeechEnded | None:
        if probability >= self._floor:
            pause, self.speech_end = Pause(self.speech_end, start), end
            if pause.is_long:
                self._pauses.append(pause)
            return None
        if end - self.speech_end < self._silence:
            return None
        self.speaking = False
        return SpeechEnded(self.speech_end)
