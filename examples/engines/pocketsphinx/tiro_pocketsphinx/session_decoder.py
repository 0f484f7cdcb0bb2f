"""Decodes the windows of one session."""

from collections.abc import Sequence

from tiro_engines.interface import Capabilities, RecognitionOptions, Samples
from tiro_engines.windowed.decoder import Context, Decoded, DecodedWord, PartialWindow
from tiro_pocketsphinx.decoding import Decoders

LANGUAGE = "en"


class SessionDecoder:
    """The `WindowDecoder` of one session. Prompts, hotwords and context have no counterpart in PocketSphinx."""

    seconds_max = 30.0

    def __init__(self, decoders: Decoders, capabilities: Capabilities) -> None:
        self._decoders = decoders
        self._capabilities = capabilities

    def configure(self, options: RecognitionOptions) -> None:
        """Take other options; see `WindowDecoder.configure`."""
        self._capabilities.require_language(options.language)

    def decode_partial(self, window: PartialWindow) -> Decoded:
        """Decode as finals are; see `WindowDecoder.decode_partial`."""
        return Decoded(self._decoders.decode(window.samples), LANGUAGE)

    def decode_final(
        self,
        samples: Samples,
        agreed: Sequence[DecodedWord] = (),
        context: Context | None = None,  # noqa: ARG002 - it cannot be told
    ) -> Decoded:
        """Decode what follows the agreed words; see `WindowDecoder.decode_final`."""
        begin = agreed[-1].end if agreed else 0
        words = self._decoders.decode(samples[begin:])
        return Decoded((*agreed, *(word.shifted(begin) for word in words)), LANGUAGE)
