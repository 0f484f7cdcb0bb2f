"""The amazon-transcribe engine: Amazon's streaming service, for live sessions and for windows of recordings."""

import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from tiro_engines.amazon_transcribe.connection import Connection
from tiro_engines.amazon_transcribe.languages import language_of, locales_by_tag
from tiro_engines.amazon_transcribe.recording import transcribe_window
from tiro_engines.amazon_transcribe.service import Service
from tiro_engines.amazon_transcribe.session import AmazonSession
from tiro_engines.amazon_transcribe.settings import CATCH_UP_PACE, AmazonSettings
from tiro_engines.interface import (
    Capabilities,
    Capability,
    CommittedContext,
    DetectedLanguage,
    EngineRefused,
    EngineSession,
    ModelInfo,
    OnAudioSent,
    RecognitionOptions,
    Segment,
    SessionOptions,
    SessionUpdate,
    Window,
    WindowResult,
)

NAME = "amazon-transcribe"
MODEL = "streaming"
DEFAULT_LOCALE = "en-US"
FEATURES = frozenset({Capability.CAPABILITY_BATCH, Capability.CAPABILITY_LIVE, Capability.CAPABILITY_WORD_TIME_OFFSETS})
DETECTION = frozenset({Capability.CAPABILITY_LANGUAGE_DETECTION, Capability.CAPABILITY_LANGUAGE_CANDIDATES})
"""What it can do besides where the deployment names locales among which a language is identified."""


class AmazonEngine:
    """Sends audio to the service."""

    partial_batch_size_max = 1

    def __init__(self, settings: AmazonSettings) -> None:
        self._settings = settings
        self._locales = locales_by_tag(settings.preferred_locales)
        self._service = Service(settings)
        digest = hashlib.sha256(f"{NAME}/{MODEL}/{settings.region}".encode()).hexdigest()
        self.model = ModelInfo(NAME, MODEL, f"sha256:{digest}")
        self.capabilities = Capabilities(
            languages=frozenset(self._locales),
            features=FEATURES | (DETECTION if settings.identified_locales else frozenset()),
            regions=settings.allowed_regions,
            cloud=True,
        )

    def transcribe(
        self, window: Window, options: RecognitionOptions, emit: Callable[[Segment], None], cancelled: threading.Event
    ) -> WindowResult:
        """Transcribe one window; see `Engine.transcribe`. Decoding options have no counterpart here.

        Raises:
            EngineRefused: Also where the options name a region that is not allowed.
        """
        locale, region = self._locale(options.language), self._region(options.region)
        candidates = self._locales_of(options.candidates)
        language = transcribe_window(
            lambda: self._service.open_stream(
                locale,
                origin=window.offset,
                pace=self._settings.pace,
                region=region,
                candidates=candidates,
                on_audio_sent=window.on_audio_sent,
            ),
            window,
            options.language or "",
            emit,
            cancelled,
            with_words=options.word_timestamps,
        )
        return WindowResult(DetectedLanguage(language, 1.0) if language else None)

    def open_session(
        self, options: SessionOptions, start: int, context: CommittedContext | None = None
    ) -> EngineSession:
        """Open a live session; see `Engine.open_session`. A region that is not allowed is refused with audio."""
        recognition = options.recognition

        def connect(language: str | None, at: int, on_audio_sent: OnAudioSent) -> Connection:
            return self._connect(replace(recognition, language=language), at, on_audio_sent)

        return AmazonSession(connect, options, start, context)

    def decode_partials(self, sessions: Sequence[EngineSession]) -> list[list[SessionUpdate]]:
        """The partials of several sessions; see `Engine.decode_partials`."""
        return [session.decode_partial() for session in sessions]

    def check(self) -> None:
        """Check that the service answers, and accepts the deployment's credentials. Blocks.

        Raises:
            EngineRefused: The credentials or the region are wrong.
            EngineUnavailable: The service does not answer.
        """
        self._service.check(next(iter(self._settings.preferred_locales), DEFAULT_LOCALE))

    def close(self) -> None:
        """Close all streams."""
        self._service.close()

    def _connect(self, recognition: RecognitionOptions, start: int, on_audio_sent: OnAudioSent) -> Connection:
        locale, candidates = self._locale(recognition.language), self._locales_of(recognition.candidates)
        return Connection(
            # Live audio comes in real time; audio that waited while a stream was broken may be sent faster.
            # A region is checked where a stream is opened, so that the session's caller gets the reason.
            lambda origin: self._service.open_stream(
                locale,
                origin=origin,
                pace=max(CATCH_UP_PACE, self._settings.pace),
                region=self._region(recognition.region),
                candidates=candidates,
                on_audio_sent=on_audio_sent,
            ),
            start,
            recognition.language or "",
        )

    def _region(self, asked: str) -> str:
        """The region of a request. Raises EngineRefused."""
        region = asked or self._settings.region
        if region not in self.capabilities.regions:
            allowed = ", ".join(sorted(self.capabilities.regions))
            raise EngineRefused(f"this worker is not allowed the region {region!r}, only {allowed}")
        return region

    def _locales_of(self, languages: Iterable[str]) -> frozenset[str]:
        """The locales among which a language is identified: one for each language, as the service wants it."""
        return frozenset({language_of(one): self._locales[one] for one in sorted(languages)}.values())

    def _locale(self, language: str | None) -> str | None:
        """The locale of a language; None has it identified. Raises UnsupportedLanguage."""
        self.capabilities.require_language(language)
        return None if language is None else self._locales[language]
