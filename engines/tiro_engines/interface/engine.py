"""A loaded engine, and how one is loaded."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tiro_engines.interface.audio import Samples
from tiro_engines.interface.capabilities import Capabilities
from tiro_engines.interface.options import RecognitionOptions, SessionOptions
from tiro_engines.interface.results import Segment, WindowResult
from tiro_engines.interface.sessions import CommittedContext, EngineSession, SessionUpdate

OnAudioSent = Callable[[float], None]
"""Takes the seconds of audio that have just been sent to a service outside. Called on any thread; does not block."""


def ignore_audio_sent(seconds: float) -> None:
    """For callers that do not count what is sent."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which weights an engine runs."""

    engine: str
    """The name of its entry point."""
    model: str
    """Letters, digits, `.`, `_` and `-`: it is part of NATS subjects. Never empty, also where `load` got no name."""
    digest: str
    """`sha256:<hex>` of the weights file (of several, in the order of their names), or of the name and version where an
    engine has no weights."""


@dataclass(frozen=True, slots=True)
class Window:
    """A bounded part of a recording."""

    samples: Samples
    """At most `WINDOW_SECONDS_MAX`."""
    offset: int
    """The position of its first sample in the recording."""
    on_audio_sent: OnAudioSent = ignore_audio_sent
    """Called while audio is sent to a service outside, so that a window that fails is counted as well."""


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
        """Transcribe one window, and call `emit` with each segment as soon as it is decoded.

        Raises:
            Cancelled: `cancelled` was set; the segments emitted so far are of no use.
            UnsupportedLanguage: The capabilities do not have `options.language`.
        """

    def open_session(
        self, options: SessionOptions, start: int, context: CommittedContext | None = None
    ) -> EngineSession:
        """Open a live session.

        Args:
            options: How to run it.
            start: The number of its first sample: 0, or the `checkpoint_sample` of the session that it continues.
            context: Final text that ends where new speech may begin. Its audio begins at `start` and comes first.

        Raises:
            UnsupportedLanguage: The capabilities do not have the language.
        """

    @property
    def partial_batch_size_max(self) -> int:
        """How many sessions' partials are worth decoding in one batch. At least 1."""

    def decode_partials(self, sessions: Sequence[EngineSession]) -> list[list[SessionUpdate]]:
        """Decode the partials of several sessions in one batch; see `EngineSession.decode_partial`.

        Where it raises, the caller decodes the sessions one by one. So it raises before it takes finals from any of
        them, or `partial_batch_size_max` is 1.

        Returns:
            One list of updates for each session, in their order.
        """

    def close(self) -> None:
        """Free the model. No call may be in progress."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """A deployment's settings for its engines. An engine ignores those that have no counterpart."""

    models_dir: str
    """Where verified weights are kept."""
    catalogue: Path | None = None
    """A catalogue of models instead of the one shipped."""
    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    compute_type: str = "auto"
    """A CTranslate2 compute type, or `auto` for one that suits the device."""
    threads: int = 0
    """CPU threads for one decoding. 0 divides the cores among the parallel ones."""
    parallel: int = 2
    """Decodings that may run at once."""


class EngineType(Protocol):
    """What an entry point in the group `tiro.engines` names: it loads an engine. Importing it imports nothing heavy."""

    def jobs_at_once(self, device: str) -> int:
        """How many windows are worth transcribing at once on this machine.

        Args:
            device: `auto`, `cpu` or `cuda`.

        Returns:
            1 to 64.
        """

    def sessions_at_once(self, device: str) -> int:
        """How many calls of sessions are worth running at once on this machine.

        Args:
            device: `auto`, `cpu` or `cuda`.

        Returns:
            At least 1.
        """

    def load(self, model: str, settings: EngineSettings) -> Engine:
        """Load a model. Blocks, and may download.

        Args:
            model: Its name. Empty for the engine's own default: the catalogue does not have the engine.
            settings: The deployment's.

        Raises:
            ModelUnavailable: No source could supply the model; says which were tried and why each failed.
        """
