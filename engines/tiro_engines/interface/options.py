"""How to recognize: what a window or a live session asks of an engine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """How to decode a window. An option whose capability the engine lacks always has its default here."""

    initial_prompt: str = ""
    """Text that could have come before the window."""
    temperature: float | None = None
    """Sampling temperature, 0 to 1. None begins with 0 and rises where the result is doubtful."""
    beam_size: int = 0
    """Hypotheses followed at once. 0 is the engine's default."""
    filter_silence: bool = True
    """Leave out what voice activity detection takes for silence."""
    translate: bool = False
    """Write English, whatever language is spoken."""


@dataclass(frozen=True, slots=True)
class RecognitionOptions:
    """How to recognize, for windows and sessions alike."""

    language: str | None = None
    """ISO 639 code. None detects it."""
    hotwords: tuple[str, ...] = ()
    """Words and phrases that are likely to be said."""
    word_timestamps: bool = True
    """Whether segments have their words."""
    decoding: DecodingOptions = DecodingOptions()
    """For windows only."""
    region: str = ""
    """Where a service may process the audio, one of `Capabilities.regions`. Empty is the deployment's default."""


@dataclass(frozen=True, slots=True)
class Endpointing:
    """When an utterance ends."""

    silence_ms: int = 500
    """Silence after speech that ends the utterance."""
    utterance_seconds_max: float = 15.0
    """A longer utterance is split: at a pause, or failing that between two words."""
    threshold: float = 0.5
    """Speech probability from which on a frame counts as speech, 0 to 1."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How to run one live session."""

    recognition: RecognitionOptions = RecognitionOptions()
    endpointing: Endpointing = Endpointing()
    interim_results: bool = True
    """Whether partials are wanted."""
    freeze_stable: bool = False
    """A stable word of a partial is in the final unchanged."""
