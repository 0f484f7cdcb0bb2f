"""The options of recognition, for windows of recordings and for live sessions."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """The options of decoding a window. An option whose capability the engine lacks always has its default."""

    initial_prompt: str = ""
    """Text that could have come before the window."""
    temperature: float | None = None
    """Sampling temperature, 0 to 1. None: 0, raised where the result is unreliable."""
    beam_size: int = 0
    """Hypotheses followed at once. 0 is the engine's default."""
    filter_silence: bool = True
    """Skip audio that voice activity detection takes for silence."""
    translate: bool = False
    """Translate to English."""


@dataclass(frozen=True, slots=True)
class RecognitionOptions:
    """The options of recognition that windows and sessions share."""

    language: str | None = None
    """One of `Capabilities.languages`. None detects it."""
    hotwords: tuple[str, ...] = ()
    """Words and phrases that are likely to be said."""
    word_timestamps: bool = True
    """Whether segments have their words."""
    decoding: DecodingOptions = DecodingOptions()
    """Options for windows only."""
    region: str = ""
    """The region in which a service processes the audio, of `Capabilities.regions`. Empty: the deployment's default."""
    candidates: frozenset[str] = frozenset()
    """The languages among which one is detected, at least two of `Capabilities.languages`. Empty: all of these."""


@dataclass(frozen=True, slots=True)
class Endpointing:
    """The rules by which an utterance ends."""

    silence_ms: int = 500
    """Silence after speech that ends the utterance."""
    utterance_seconds_max: float = 15.0
    """A longer utterance is split: at a pause, or without one between two words."""
    threshold: float = 0.5
    """Speech probability from which on a frame counts as speech, 0 to 1."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """The options of one live session."""

    recognition: RecognitionOptions = RecognitionOptions()
    endpointing: Endpointing = Endpointing()
    interim_results: bool = True
    """Whether the session returns partials."""
    freeze_stable: bool = False
    """Whether a stable word of a partial is unchanged in the final."""
