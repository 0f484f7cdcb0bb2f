"""The engine: windows of recordings and live sessions, decoded alike."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from pocketsphinx import get_model_path

from tiro_engines.interface import (
    SAMPLE_RATE,
    Cancelled,
    Capabilities,
    Capability,
    CommittedContext,
    DetectedLanguage,
    EngineSession,
    Final,
    ModelInfo,
    RecognitionOptions,
    Segment,
    SessionOptions,
    SessionUpdate,
    Window,
    WindowResult,
)
from tiro_engines.windowed.session import WindowedSession
from tiro_pocketsphinx.decoding import Decoders
from tiro_pocketsphinx.session_decoder import LANGUAGE, SessionDecoder
from tiro_pocketsphinx.voice import PocketsphinxVoice


class PocketsphinxEngine:
    """One language model and dictionary for all windows and sessions of a worker."""

    partial_batch_size_max = 1

    def __init__(self, model: str) -> None:
        self._decoders = Decoders()
        self.model = ModelInfo("pocketsphinx", model, f"sha256:{_digest(Path(get_model_path(model)))}")
        self.capabilities = Capabilities(
            languages=frozenset({LANGUAGE}),
            features=frozenset(
                {Capability.CAPABILITY_BATCH, Capability.CAPABILITY_LIVE, Capability.CAPABILITY_WORD_TIME_OFFSETS}
            ),
        )

    def transcribe(
        self, window: Window, options: RecognitionOptions, emit: Callable[[Segment], None], cancelled: threading.Event
    ) -> WindowResult:
        """Transcribe one window as a session that gets a second at a time; see `Engine.transcribe`."""
        session = self.open_session(SessionOptions(options, interim_results=False), window.offset)
        found = False
        for begin in range(0, len(window.samples), SAMPLE_RATE):
            found |= _emit_finals(session.advance(window.samples[begin : begin + SAMPLE_RATE]), emit, cancelled)
        found |= _emit_finals(session.finalize(), emit, cancelled)
        return WindowResult(DetectedLanguage(LANGUAGE, 1.0) if found else None)

    def open_session(
        self, options: SessionOptions, start: int, context: CommittedContext | None = None
    ) -> EngineSession:
        """Open a live session; see `Engine.open_session`."""
        decoder = SessionDecoder(self._decoders, self.capabilities)
        decoder.configure(options.recognition)
        return WindowedSession(decoder, PocketsphinxVoice(), options, start, context)

    def decode_partials(self, sessions: Sequence[EngineSession]) -> list[list[SessionUpdate]]:
        """Decode the partials of several sessions, one after the other; see `Engine.decode_partials`."""
        return [session.decode_partial() for session in sessions]

    def close(self) -> None:
        """Free the decoders."""
        self._decoders.close()


def _emit_finals(updates: Sequence[SessionUpdate], emit: Callable[[Segment], None], cancelled: threading.Event) -> bool:
    """Emit the finals. Returns whether there were any.

    Raises:
        Cancelled: The caller has set the event.
    """
    finals = [update for update in updates if isinstance(update, Final)]
    for final in finals:
        if cancelled.is_set():
            raise Cancelled
        emit(final.segment)
    if cancelled.is_set():
        raise Cancelled
    return bool(finals)


def _digest(folder: Path) -> str:
    """SHA-256 of the acoustic model: its files in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted((folder / folder.name).iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()
