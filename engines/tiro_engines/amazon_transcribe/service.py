"""The client of the service: it opens streams with the SDK, on its own event loop."""

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any

from amazon_transcribe.client import TranscribeStreamingClient
from amazon_transcribe.endpoints import StaticEndpointResolver

from tiro_engines.amazon_transcribe.body import PacedBody
from tiro_engines.amazon_transcribe.faults import fault_of
from tiro_engines.amazon_transcribe.settings import AmazonSettings
from tiro_engines.amazon_transcribe.stream import CONNECT_SECONDS_MAX, Stream
from tiro_engines.interface import SAMPLE_RATE, OnAudioSent, ignore_audio_sent

CLOSE_SECONDS_MAX = 5.0


class Service:
    """Opens streams, from any thread. The owner must close it."""

    def __init__(self, settings: AmazonSettings) -> None:
        self._settings = settings
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="amazon-transcribe", daemon=True)
        self._thread.start()

    def open_stream(
        self,
        locale: str | None,
        *,
        origin: int,
        pace: float,
        region: str = "",
        candidates: Collection[str] = (),
        on_audio_sent: OnAudioSent = ignore_audio_sent,
    ) -> Stream:
        """Begin a stream of 16 kHz PCM16. It connects in the background.

        Args:
            locale: The locale of the speech. None has it identified.
            origin: The first sample, in the session or recording.
            pace: How fast audio may be sent, in seconds of audio per second.
            region: Where the audio is processed. Empty for the deployment's default.
            candidates: The locales among which it is identified. Empty: those of the settings.
            on_audio_sent: Called when audio has been sent.
        """
        name = str(uuid.uuid4())
        return Stream(
            name,
            self._loop,
            lambda: self._start(name, self._speech(locale, candidates), region),
            origin=origin,
            pace=pace,
            on_audio_sent=on_audio_sent,
        )

    def check(self, locale: str) -> None:
        """Begin a stream and end it, to check that the service answers and accepts the credentials. Blocks.

        Vocabularies are not checked: each belongs to a language, and is checked by the first stream in it.

        Raises:
            EngineRefused: The credentials or the region are wrong.
            EngineUnavailable: The service does not answer.
        """
        asyncio.run_coroutine_threadsafe(self._begin_and_end(locale), self._loop).result()

    def close(self) -> None:
        """Stop the loop, and cancel its tasks."""
        asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop).result(CLOSE_SECONDS_MAX)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_SECONDS_MAX)
        self._loop.close()

    async def _begin_and_end(self, locale: str) -> None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                stream = await self._start(str(uuid.uuid4()), {"language_code": locale}, "")
        except Exception as error:
            raise fault_of(error) from error
        await stream.input_stream.end_stream()
        with suppress(Exception):  # the answer to a stream without audio does not matter
            async with asyncio.timeout(CLOSE_SECONDS_MAX):
                async for _ in stream.output_stream:
                    pass

    async def _start(self, name: str, speech: dict[str, Any], region: str) -> Any:
        settings = self._settings
        # One client per stream: a client has one connection, whose failure ends all of its streams.
        client = TranscribeStreamingClient(
            region=region or settings.region,
            endpoint_resolver=StaticEndpointResolver(settings.endpoint) if settings.endpoint else None,
        )
        requests = _Requests(client)
        async with requests.ended_on_failure():
            return await client.start_stream_transcription(
                **speech,
                media_sample_rate_hz=SAMPLE_RATE,
                media_encoding="pcm",
                session_id=name,
                enable_partial_results_stabilization=True,
                partial_results_stability=settings.stability,
            )

    def _speech(self, locale: str | None, candidates: Collection[str]) -> dict[str, Any]:
        """The parameters of the SDK on language and vocabulary."""
        settings = self._settings
        if locale is None:
            options = sorted(candidates) or list(settings.identified_locales)
            return {"language_code": None, "identify_language": True, "language_options": options}
        return {
            "language_code": locale,
            "vocabulary_name": settings.vocabulary or None,
            "vocab_filter_name": settings.vocabulary_filter or None,
            "vocab_filter_method": settings.vocabulary_filter_method if settings.vocabulary_filter else None,
        }


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Requests:
    """Wraps the bodies of a client's requests in `PacedBody`, and ends them where the SDK leaves them open."""

    def __init__(self, client: Any) -> None:
        self._make = client._session_manager.make_request  # noqa: SLF001 - the SDK has no public way, and is pinned
        self._bodies: list[PacedBody] = []
        client._session_manager.make_request = self._make_request  # noqa: SLF001 - as above

    @asynccontextmanager
    async def ended_on_failure(self) -> AsyncIterator[None]:
        """End the bodies when the stream does not begin: it was refused or cancelled, or not answered in time."""
        try:
            yield
        except BaseException:
            for body in self._bodies:
                body.end()
            raise

    async def _make_request(self, url: str, *, body: Any, **request: Any) -> Any:
        self._bodies.append(PacedBody(body))
        return await self._make(url, body=self._bodies[-1], **request)
