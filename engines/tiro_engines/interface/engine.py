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
"""Called with the seconds of audio that were just sent to a service outside, on any thread. It does not block."""


def ignore_audio_sent(seconds: float) -> None:
    """Do nothing: for callers that do not count the audio sent."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The name and the weights of a loaded model."""

    engine: str
    """The name of the engine's entry point."""
    model: str
    """The model's name, part of NATS subjects: letters, digits, `.`, `_` and `-`. Never empty."""
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
    """Called while audio is sent to a service outside, so that the audio of a window that fails is counted as well."""


class Engine(Protocol):
    """A loaded engine. Methods may be called from several threads at once."""

    @property
    def model(self) -> ModelInfo:
        """The name and the weights of the loaded model."""

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of the engine with this model."""

    def transcribe(
        self, window: Window, options: RecognitionOptions, emit: Callable[[Segment], None], cancelled: threading.Event
    ) -> WindowResult:
        """Transcribe one window, and call `emit` with each segment as soon as it is decoded.

        Raises:
            Cancelled: `cancelled` was set. The caller drops the segments emitted so far.
            UnsupportedLanguage: The capabilities do not have `options.language`.
        """

    def open_session(
        self, options: SessionOptions, start: int, context: CommittedContext | None = None
    ) -> EngineSession:
        """Open a live session.

        Args:
            options: The options of the session.
            start: The number of its first sample: 0, or the `checkpoint_sample` of the session that it continues.
            context: The last final of that session, if it helps. Its audio begins at `start`, and is passed first.

        Raises:
            UnsupportedLanguage: The capabilities do not have the language.
        """

    @property
    def partial_batch_size_max(self) -> int:
        """The most sessions whose partials are decoded in one batch. At least 1."""

    def decode_partials(self, sessions: Sequence[EngineSession]) -> list[list[SessionUpdate]]:
        """Decode the partials of several sessions in one batch; see `EngineSession.decode_partial`.

        After an exception the caller decodes the sessions one by one. So an engine raises before it takes finals from
        any of them, or has a `partial_batch_size_max` of 1.

        Returns:
            One list of updates for each session, in their order.
        """

    def close(self) -> None:
        """Free the model. No call may be in progress."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """A deployment's settings for its engines. An engine ignores those that do not apply to it."""

    models_dir: str
    """The folder of verified weights."""
    catalogue: Path | None = None
    """A catalogue of models instead of the shipped one."""
    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    compute_type: str = "auto"
    """A CTranslate2 compute type, or `auto` for one that suits the device."""
    threads: int = 0
    """CPU threads for one decoding. 0 divides the cores among the parallel decodings."""
    parallel: int = 2
    """Decodings that may run at once."""


class EngineType(Protocol):
    """Loads an engine. Entry points of the group `tiro.engines` name such objects; importing one is cheap."""

    def jobs_at_once(self, device: str) -> int:
        """The number of windows that this machine should transcribe at once.

        Args:
            device: `auto`, `cpu` or `cuda`.

        Returns:
            1 to 64.
        """

    def sessions_at_once(self, device: str) -> int:
        """The number of sessions' calls that this machine should run at once.

        Args:
            device: `auto`, `cpu` or `cuda`.

        Returns:
            At least 1.
        """

    def load(self, model: str, settings: EngineSettings) -> Engine:
        """Load a model. Blocks, and may download.

        Args:
            model: The name of the model. Empty for the default of an engine that is not in the catalogue.
            settings: The deployment's settings.

        Raises:
            ModelUnavailable: No source could supply the model; the message says why each one failed.
        """
