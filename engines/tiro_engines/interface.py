"""What the transcriber asks of a speech engine: windows of a recording, and live sessions.

All positions are samples at `SAMPLE_RATE`, counted from the start of the recording or session. All methods block and
run on worker threads; an engine is loaded once per worker and shared by them, a session belongs to one caller at a
time. The same process keeps leases and live streams going: a library that holds Python's lock while it works is called
for a fraction of a second at a time, or runs in a process of its own.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Hertz. Every engine takes mono float32 samples in [-1, 1] at this rate."""

WINDOW_SECONDS_MAX = 600
"""The longest window handed to `Engine.transcribe`: it bounds memory and the time a cancellation takes."""

Samples = NDArray[np.float32]
"""Shape (n,), mono, `SAMPLE_RATE`."""


Sent = Callable[[float], None]
"""Takes seconds of audio that have just left for a service outside. Called on any thread, and does not block."""


def ignore_sent(seconds: float) -> None:
    """For who does not count."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine with its model can do. Data, so that a request it cannot serve is refused at the door."""

    languages: frozenset[str]
    """ISO 639-1 codes (639-3 where there is none), as in `en`, `es`, `haw`."""
    detects_language: bool
    word_timestamps: bool
    batch: bool
    live: bool
    translates: bool = False
    """Into English, from any of its languages."""
    hotwords: bool = False
    """It takes words that are likely to be said, in windows and in sessions."""
    initial_prompt: bool = False
    """It takes text that could have come before a window."""
    temperature: bool = False
    """It can be told how freely to choose in a window."""
    beam_size: bool = False
    """It can be told how many readings of a window to follow at once."""
    voice_activity_filter: bool = False
    """It has a filter for windows that can be turned off."""
    regions: frozenset[str] = frozenset()
    """Where a request may have its audio heard, for an engine whose service is somewhere. Empty: none can be named."""
    cloud: bool = False
    """It hands audio to a service outside the deployment, which tenants must have agreed to."""

    def require_language(self, language: str | None) -> None:
        """Refuse a language that the engine cannot do, or None where there are several and it cannot detect which.

        Raises:
            UnsupportedLanguage: Names the language.
        """
        if language is None and not self.detects_language and len(self.languages) > 1:
            raise UnsupportedLanguage("the engine does not detect languages: name one")
        if language is not None and language not in self.languages:
            raise UnsupportedLanguage(f"the engine with this model does not speak {language!r}")


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which weights an engine runs."""

    engine: str
    """The name of its entry point."""
    model: str
    """Letters, digits, `.`, `_` and `-`: it is part of NATS subjects. Never empty, also where `load` was given none."""
    digest: str
    """`sha256:<hex>` of the weights file (of several, in the order of their names), or of the name and version where an
    engine has no weights."""


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """How to decode a window. What an engine has no counterpart for, by its `Capabilities`, it is not asked for."""

    initial_prompt: str = ""
    """Text that could have come before."""
    temperature: float | None = None
    """How freely it chooses, 0 to 1. None begins with 0 and rises where the result is doubtful."""
    beam_size: int = 0
    """Readings followed at once. 0 is the engine's default."""
    filter_silence: bool = True
    """Leave out what voice activity detection holds for no speech."""
    translate: bool = False
    """Write English, whatever is spoken. Asked for only where `Capabilities.translates`."""


@dataclass(frozen=True, slots=True)
class RecognitionOptions:
    """How to recognize, for a window and for a session alike."""

    language: str | None = None
    """None detects it."""
    hotwords: tuple[str, ...] = ()
    word_timestamps: bool = True
    decoding: DecodingOptions = DecodingOptions()
    """For windows; sessions have their own ways."""
    region: str = ""
    """Where a service may hear the audio, one of `Capabilities.regions`. Empty takes the deployment's."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word as recognized. `text` has its punctuation and no surrounding space."""

    text: str
    start: int
    end: int
    probability: float
    stable: bool = True
    """In a partial: two decodings agreed on it. Always true in a final."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech with its words (empty when word timestamps were not asked for)."""

    text: str
    start: int
    end: int
    words: tuple[Word, ...] = ()
    language: str = ""


@dataclass(frozen=True, slots=True)
class DetectedLanguage:
    """What the engine heard spoken, or was told."""

    code: str
    probability: float


@dataclass(frozen=True, slots=True)
class DroppedText:
    """Text that was left out because nothing spoken seems to be behind it."""

    text: str
    start: int
    end: int
    why: str
    """For people."""


@dataclass(frozen=True, slots=True)
class WindowResult:
    """What a window gave besides its segments."""

    language: DetectedLanguage | None
    """None when the window held no speech to detect it from."""
    warnings: tuple[str, ...] = ()
    dropped: tuple[DroppedText, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """A bounded piece of a recording. `offset` is where its first sample lies in the recording."""

    samples: Samples
    offset: int
    sent: Sent = ignore_sent
    """Told of audio that leaves for a service outside, as it leaves: so a window that fails counts as well."""


class Cancelled(Exception):  # noqa: N818 - it is an outcome that was asked for, not an error
    """The caller set the cancellation event while a window was being transcribed."""


@dataclass(frozen=True, slots=True)
class Endpointing:
    """When an utterance ends."""

    silence_ms: int = 500
    """Silence after speech that ends the utterance."""
    utterance_seconds_max: float = 15.0
    """An utterance is cut when it gets this long: at a pause, or failing that between two words."""
    threshold: float = 0.5
    """Speech probability above which a frame counts as speech, 0 to 1."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How to run one live session."""

    recognition: RecognitionOptions = RecognitionOptions()
    endpointing: Endpointing = Endpointing()
    interim_results: bool = True
    freeze_stable: bool = False
    """A stable word of a partial is in the final too, as it was."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Voice activity began at this sample."""

    at: int


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """Voice activity ended at this sample."""

    at: int


@dataclass(frozen=True, slots=True)
class Partial:
    """The text since the last final as it looks now. It replaces the partial before it."""

    segment: Segment


@dataclass(frozen=True, slots=True)
class Spoken:
    """A stretch of the session that is final, and what is said in it."""

    text: str
    start: int
    until: int


@dataclass(frozen=True, slots=True)
class Final:
    """A segment that will not change. Finals do not overlap and follow each other in time."""

    segment: Segment
    resume_at: int
    """Everything before this sample is final: a new session that starts here neither loses nor repeats a word.

    At or after `segment.end`, because a word is heard a little longer than its time says.
    """
    context: Spoken | None = None
    """The end of it, which helps to hear what comes next: a new session hears it again. None where nothing does."""


@dataclass(frozen=True, slots=True)
class UtteranceEnd:
    """The speaker paused, or the caller asked to finalize: everything before this sample is final."""

    at: int


SessionUpdate = SpeechStarted | SpeechEnded | Partial | Final | UtteranceEnd


class EngineSession(Protocol):
    """The state of one live session: from its samples to updates, in order.

    What is final depends on the samples, the options and where `finalize` and `configure` were called alone: not on how
    the samples were cut into calls, nor (unless stable words are frozen) on when partials were decoded.
    """

    @property
    def settled_at(self) -> int:
        """Nothing before this sample is needed any more: it is final and no context, or held no speech.

        A new session that starts here, and is given the last final's context if that starts here too, goes on as this
        one would. Never goes back.
        """

    @property
    def wants_partial(self) -> bool:
        """Whether speech has come that no partial shows yet. Always false when none are wanted."""

    @property
    def seconds_sent(self) -> float:
        """Audio that has left for a service outside, with what was sent again after a fault. 0 where none does."""

    def advance(self, samples: Samples) -> list[SessionUpdate]:
        """Take the next samples and say what they changed: speech that began or ended, and finals.

        Samples may be of any length, also 0. Partials are `decode_partial`'s: the caller decides when they are worth
        their cost. (An engine that gets its partials for nothing may return them here.)
        """

    def decode_partial(self) -> list[SessionUpdate]:
        """Say how the text since the last final looks now: one partial, or nothing where nothing has changed.

        An engine whose service answers when it likes returns before it what has become final meanwhile.
        """

    def configure(self, recognition: RecognitionOptions, endpointing: Endpointing) -> None:
        """Recognize differently from the next sample on.

        Raises:
            UnsupportedLanguage: The options name a language that is none of the capabilities'. Nothing has changed.
        """

    def finalize(self) -> list[SessionUpdate]:
        """Make everything heard so far final and end the utterance. The session stays usable.

        The last update is always an `UtteranceEnd`, also when nothing was heard: the caller has an answer to wait for.
        """

    def close(self) -> None:
        """Let go of what it holds outside. Does not block, and may come while another call is in progress."""


class Engine(Protocol):
    """A loaded engine. Methods may be called from several threads at once."""

    @property
    def model(self) -> ModelInfo:
        """Which weights are loaded."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do with them."""

    def transcribe(
        self, window: Window, options: RecognitionOptions, emit: Callable[[Segment], None], cancelled: threading.Event
    ) -> WindowResult:
        """Transcribe one window and hand each segment to `emit` as soon as it is decoded.

        Raises:
            Cancelled: `cancelled` was set; segments emitted so far are to be dropped.
            UnsupportedLanguage: `options.language` is none of the capabilities'.
        """

    def open_session(self, options: SessionOptions, start: int, spoken: Spoken | None = None) -> EngineSession:
        """Begin a live session whose first sample is number `start`.

        Args:
            options: How to run it.
            start: Where a session before has settled everything, or 0.
            spoken: The context of what follows: it begins at `start`.

        Raises:
            UnsupportedLanguage: The options name a language that is none of the capabilities'.
        """

    @property
    def partial_batch_size_max(self) -> int:
        """How many sessions' partials are worth decoding at once."""

    def decode_partials(self, sessions: Sequence[EngineSession]) -> list[list[SessionUpdate]]:
        """Do for several of its sessions what `decode_partial` does for one, in their order, at less cost each."""

    def close(self) -> None:
        """Free the model. No call may be in progress."""


class EngineType(Protocol):
    """What an entry point in the group `tiro.engines` names: how to load an engine. It imports nothing heavy before."""

    def jobs_at_once(self, device: str) -> int:
        """How many windows it transcribes at once with the most gain on this machine.

        Args:
            device: `auto`, `cpu` or `cuda`.

        Returns:
            1 to 64.
        """

    def sessions_at_once(self, device: str) -> int:
        """How many calls of sessions may run at once with the most gain on this machine.

        Args:
            device: `auto`, `cpu` or `cuda`.
        """

    def load(self, model: str, settings: "EngineSettings") -> Engine:
        """Load a model. Blocks, and may download.

        Args:
            model: Its name. Empty for the engine's own default: the catalogue does not have the engine.
            settings: What the deployment says. An engine leaves alone what has no counterpart.

        Raises:
            ModelUnavailable: No source could supply the model; says which were tried and why each failed.
        """


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What a deployment says about running engines."""

    models_dir: str
    """Where verified weights are kept."""
    catalogue: Path | None = None
    """A catalogue of models instead of the one shipped."""
    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    compute_type: str = "auto"
    """A CTranslate2 compute type, or `auto` for one that suits the device."""
    threads: int = 0
    """CPU threads for one decoding. 0 shares the cores among the parallel ones."""
    parallel: int = 2
    """Decodings that may run at once."""


class ModelUnavailable(Exception):  # noqa: N818 - reads as the condition it reports
    """A model could not be had from any of its sources."""


class EngineUnavailable(Exception):  # noqa: N818 - reads as the condition it reports
    """A service that the engine needs does not answer, or has no room now. Trying again later may help."""


class EngineRefused(Exception):  # noqa: N818 - reads as the condition it reports
    """A service that the engine needs refuses the request. Trying again does not help."""


class UnsupportedLanguage(ValueError):  # noqa: N818 - reads as the condition it reports
    """The engine with its model does not recognize the language that was asked for."""
