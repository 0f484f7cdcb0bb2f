"""The text of the utterance under way: when to decode it anew, and what to show of it."""

from tiro_transcriber.engines.interface import SAMPLE_RATE, Partial, SessionOptions
from tiro_transcriber.live.agreement import LocalAgreement
from tiro_transcriber.live.decoder import WindowDecoder
from tiro_transcriber.live.segments import segment_of
from tiro_transcriber.live.window import AudioWindow


class Partials:
    """Decodes the window now and then, and keeps what two decodings agreed on."""

    def __init__(self, decoder: WindowDecoder, options: SessionOptions, start: int) -> None:
        self._decoder = decoder
        self._options = options
        self._interval = SAMPLE_RATE * options.partial_interval_ms // 1000
        self._agreement = LocalAgreement()
        self._decoded_until = start
        self._shown = ""

    def restart(self, at: int) -> None:
        """Begin a new text at the sample `at`."""
        self._agreement.reset()
        self._decoded_until = at
        self._shown = ""

    def due(self, end: int, speech_end: int) -> bool:
        """Whether enough audio has come since the last decoding, and some of it was speech."""
        return (
            self._options.interim_results
            and speech_end > self._decoded_until
            and end - self._decoded_until >= self._interval
        )

    def decode(self, window: AudioWindow) -> list[Partial]:
        """Decode the window. Returns one partial, or none where nothing has changed."""
        self._decoded_until = window.end
        decoded = self._decoder.decode_partial(window.until(window.end))
        words = self._agreement.update(decoded.words)
        stable = self._agreement.stable_count
        looks = f"{stable} {''.join(word.raw for word in words)}"
        if not words or looks == self._shown:
            return []
        self._shown = looks
        with_words = self._options.recognition.word_timestamps
        segment = segment_of(words, window.start, window.end, decoded.language, with_words=with_words, stable=stable)
        return [Partial(segment)]
