"""Decodes the windows of one session."""

from collections.abc import Sequence

from tiro_engines.interface import Capabilities, RecognitionOptions, Samples
from tiro_engines.windowed.decoder import DecodedWord, DecodingContext, Hypothesis, PartialWindow
from tiro_pocketsphinx.decoding import Decoders

LANGUAGE = "en"


class SessionDecoder:
    """The `WindowDecoder` of one session. Prompts, hotwords and context have no counterpart in PocketSphinx."""

    seconds_max = 30.0

    def __init__(self, decoders: Decoders, capabilities: Capabilities) -> None:
        self._decoders = decoders
        self._capabilities = capabilities

    def configure(self, options: RecognitionOptions) -> None:
        """Use other options; see `WindowDecoder.configure`."""
        self._capabilities.require_language(options.language)

    def decode_partial(self, window: PartialWindow) -> Hypothesis:
        """Decode like a final; see `WindowDecoder.decode_partial`."""
        return Hypothesis(self._decoders.decode(window.samples), LANGUAGE)

    def decode_final(
        self,
        samples: Samples,
        prefix: Sequence[DecodedWord] = (),
        context: DecodingContext | None = None,  # noqa: ARG002 - the library takes none
    ) -> Hypothesis:
        """Decode what follows the prefix; see `WindowDecoder.decode_final`."""
        begin = prefix[-1].end if prefix else 0
        words = self._decoders.decode(samples[begin:])
        return Hypothesis((*prefix, *(word.shifted(begin) for word in words)), LANGUAGE)
