"""From speech probabilities of frames to the beginnings, pauses and ends of utterances."""

from dataclasses import dataclass

from tiro_engines.interface import SAMPLE_RATE, Endpointing, SpeechEnded, SpeechStarted

HYSTERESIS = 0.15
"""Speech goes on until its probability is this much under the threshold, as in Silero's own segmentation."""

SPEECH_SAMPLES_MIN = SAMPLE_RATE * 96 // 1000
"""Speech must last this long to begin an utterance: clicks do not."""

PAUSE_SAMPLES_MIN = SAMPLE_RATE * 98 // 1000
"""A silence inside an utterance that is long enough to cut it there, as in Silero's own segmentation."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence inside an utterance, from one sample to another."""

    start: int
    end: int

    @property
    def long(self) -> bool:
        """Whether it is long enough to cut at."""
        return self.end - self.start >= PAUSE_SAMPLES_MIN

    @property
    def middle(self) -> int:
        """Where to cut."""
        return (self.start + self.end) // 2


class Endpointer:
    """Follows one session's frames. All positions are absolute samples."""

    def __init__(self, options: Endpointing) -> None:
        self.configure(options)
        self._candidate: int | None = None
        self._pauses: list[Pause] = []
        self.speaking = False
        self.speech_end = 0
        """End of the last frame of speech."""

    def configure(self, options: Endpointing) -> None:
        """Take other options from the next frame on."""
        self._threshold = options.threshold
        self._floor = max(options.threshold - HYSTERESIS, 0.01)
        self._silence = SAMPLE_RATE * options.silence_ms // 1000

    def hear(self, start: int, end: int, probability: float) -> SpeechStarted | SpeechEnded | None:
        """Take the frame from `start` to `end`; say whether an utterance began or ended with it."""
        return (
            self._hear_speech(start, end, probability) if self.speaking else self._hear_silence(start, end, probability)
        )

    def pauses(self, after: int, now: int) -> list[Pause]:
        """Return the pauses that begin after a sample, with the one that may last until `now`."""
        return [pause for pause in (*self._pauses, Pause(self.speech_end, now)) if pause.start > after and pause.long]

    def cut(self, at: int) -> None:
        """Forget the pauses before this sample: the utterance goes on from here."""
        self._pauses = [pause for pause in self._pauses if pause.start > at]

    def reset(self) -> None:
        """End the utterance, and forget its pauses."""
        self.speaking = False
        self._candidate = None
        self._pauses.clear()

    def _hear_silence(self, start: int, end: int, probability: float) -> SpeechStarted | None:
        if probability < self._threshold:
            self._candidate = None
            return None
        if self._candidate is None:
            self._candidate = start
        if end - self._candidate < SPEECH_SAMPLES_MIN:
            return None
        self.speaking, self.speech_end = True, end
        return SpeechStarted(self._candidate)

    def _hear_speech(self, start: int, end: int, probability: float) -> SpeechEnded | None:
        if probability >= self._floor:
            pause, self.speech_end = Pause(self.speech_end, start), end
            if pause.long:
                self._pauses.append(pause)
            return None
        if end - self.speech_end < self._silence:
            return None
        self.speaking = False
        return SpeechEnded(self.speech_end)
