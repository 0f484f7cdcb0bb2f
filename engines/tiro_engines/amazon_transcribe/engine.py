"""The amazon-transcribe engine: Amazon's streaming service, for live sessions and for windows of recordings."""

import hashlib
import threading
from collections.abc import Callable, Sequence

from tiro_engines.amazon_transcribe.connection import Connection
from tiro_engines.amazon_transcribe.languages import locales_by_language
from tiro_engines.amazon_transcribe.recording import transcribe_window
from tiro_engines.amazon_transcribe.service import Service
from tiro_engines.amazon_transcribe.session import AmazonSession
from tiro_engines.amazon_transcribe.settings import CATCH_UP_PACE, AmazonSettings
from tiro_engines.interface import (
    Capabilities,
    DetectedLanguage,
    EngineRefused,
    EngineSession,
    ModelInfo,
    RecognitionOptions,
    Segment,
    Sent,
    SessionOptions,
    SessionUpdate,
    Spoken,
    Window,
    WindowResult,
)

NAME = "amazon-transcribe"
MODEL = "streaming"
DEFAULT_LOCALE = "en-US"


class AmazonEngine:
    """Hands audio to the service."""

    partial_batch_size_max = 1

    def __init__(self, settings: AmazonSettings) -> None:
        self._settings = settings
        self._locales = locales_by_language(settings.preferred_locales)
        self._service = Service(settings)
        digest = hashlib.sha256(f"{NAME}/{MODEL}/{settings.region}".encode()).hexdigest()
        self.model = ModelInfo(NAME, MODEL, f"sha256:{digest}")
        self.capabilities = Capabilities(
            languages=frozenset(self._locales),
            detects_language=bool(settings.identified_locales),
            word_timestamps=True,
            batch=True,
            live=True,
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
        spoken = transcribe_window(
            lambda: self._service.open_stream(
                locale, origin=window.offset, pace=self._settings.pace, region=region, sent=window.sent
            ),
            window,
            options.language or "",
            emit,
            cancelled,
            with_words=options.word_timestamps,
        )
        return WindowResult(DetectedLanguage(spoken, 1.0) if spoken else None)

    def open_session(self, options: SessionOptions, start: int, spoken: Spoken | None = None) -> EngineSession:
        """Begin a live session; see `Engine.open_session`. A region that is not allowed is refused with its audio."""
        region = options.recognition.region

        def connect(language: str | None, at: int, sent: Sent) -> Connection:
            return self._connect(language, at, region=region, sent=sent)

        return AmazonSession(connect, options, start, spoken)

    def decode_partials(self, sessions: Sequence[EngineSession]) -> list[list[SessionUpdate]]:
        """Show what several sessions have heard; see `Engine.decode_partials`."""
        return [session.decode_partial() for session in sessions]

    def check(self) -> None:
        """See that the service is there, and takes what the deployment has. Blocks.

        Raises:
            EngineRefused: It does not: wrong credentials, another region.
            EngineUnavailable: It is away.
        """
        self._service.check(next(iter(self._settings.preferred_locales), DEFAULT_LOCALE))

    def close(self) -> None:
        """Leave the service."""
        self._service.close()

    def _connect(self, language: str | None, start: int, *, region: str, sent: Sent) -> Connection:
        locale = self._locale(language)
        return Connection(
            # Live audio comes at its own pace; what waited while a stream was broken may catch up.
            # A region is refused as the service refuses a stream: so the session's caller is told why.
            lambda origin: self._service.open_stream(
                locale,
                origin=origin,
                pace=max(CATCH_UP_PACE, self._settings.pace),
                region=self._region(region),
                sent=sent,
            ),
            start,
            language or "",
        )

    def _region(self, asked: str) -> str:
        """Raises EngineRefused."""
        region = asked or self._settings.region
        if region not in self.capabilities.regions:
            allowed = ", ".join(sorted(self.capabilities.regions))
            raise EngineRefused(f"this worker is not allowed the region {region!r}, only {allowed}")
        return region

    def _locale(self, language: str | None) -> str | None:
        """Which locale is meant; None has it identified. Raises UnsupportedLanguage."""
        self.capabilities.require_language(language)
        return None if language is None else self._locales[language]
