"""The client: one object for uploads, jobs, transcripts, live streams and what can be asked for."""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, overload

from tiro_client.calls.channel import Connection, open_connection
from tiro_client.engines.listing import list_engines
from tiro_client.engines.models import Engine
from tiro_client.jobs.calls import Jobs
from tiro_client.jobs.formats import TranscriptFormat
from tiro_client.jobs.models import Job, JobEvent
from tiro_client.jobs.options import JobOptions
from tiro_client.jobs.submission import Source, Submission, display_name_of
from tiro_client.jobs.subtitles import SubtitleOptions
from tiro_client.live.config import RESUME_SECONDS, AudioEncoding, LiveConfig
from tiro_client.live.events import LiveEvent
from tiro_client.live.stream import LiveStream, transcribe_stream
from tiro_client.live.watch import watch_session
from tiro_client.recognition import recognition_config
from tiro_client.settings import ClientSettings
from tiro_client.transcript import Transcript
from tiro_client.uploads.calls import ProgressCallback, Upload, Uploads

TIMEOUT_SECONDS = 30.0
"""How long a call with one answer may take, unless the caller says otherwise."""
TextFormat = Literal["txt", "srt", "vtt", "tsv", "json", "words"]


class AsyncClient:
    """Talks to a Tiro deployment. Use as an async context manager.

        async with AsyncClient() as client:
            transcript = await client.transcribe("speech.flac")
            print(transcript.text)

    Every method raises a `TiroError` when the service refuses or fails. Calls that are safe to repeat are repeated
    while the service is away or full, for a limited time (see `tiro_client.calls.retrying`); uploads and watches go on
    where they broke off.

    Args:
        address: `host:port` of uploads and jobs, else `TIRO_ADDRESS`, else 127.0.0.1:50051.
        streaming_address: `host:port` of live streams, else `TIRO_STREAMING_ADDRESS`, else the address if one was given
            (a gateway serves both), else 127.0.0.1:50052.
        api_key: The API key, else `TIRO_API_KEY`, else none.
        tls: A PEM file of certificate authorities, or True for those that gRPC brings along, else `TIRO_TLS_CA` (a
            file, or `system`), else no TLS. False is no TLS for certain.
        timeout_seconds: How long a call with one answer may take.

    Raises:
        ValueError: An address has no port.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        streaming_address: str | None = None,
        api_key: str | None = None,
        tls: str | Path | bool | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._settings = ClientSettings.resolve(address, streaming_address, api_key, tls)
        self._timeout_seconds = timeout_seconds
        self._resources = AsyncExitStack()
        self._batch: Connection | None = None
        self._streaming: Connection | None = None

    async def __aenter__(self) -> Self:
        """Open the channels. They connect with the first call.

        Raises:
            OSError: The file of certificate authorities cannot be read.
        """
        settings = self._settings
        async with AsyncExitStack() as resources:
            self._batch = await resources.enter_async_context(self._connection(settings.address))
            shared = settings.streaming_address == settings.address
            self._streaming = (
                self._batch
                if shared
                else await resources.enter_async_context(self._connection(settings.streaming_address))
            )
            self._resources = resources.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._batch = self._streaming = None
        await self._resources.aclose()

    async def upload(
        self,
        source: str | Path | bytes,
        *,
        display_name: str | None = None,
        request_id: str | None = None,
        progress: ProgressCallback | None = None,
    ) -> Upload:
        """Send a recording. A broken connection costs only what was not yet stored.

        Args:
            source: A file, or the bytes themselves.
            display_name: What to call it. The file's name when None.
            request_id: Makes the same upload of two calls with the same id. One is made when None.
            progress: Called with the bytes sent and the bytes in all.

        Raises:
            OSError: The file cannot be read.
            InvalidRequest: It is no recording that the deployment takes; the reason says why.
            TiroError: As everywhere.
        """
        content = source if isinstance(source, bytes) else Path(source)
        name = display_name_of(content) if display_name is None else display_name
        return await self._uploads.upload(content, display_name=name, request_id=request_id, progress=progress)

    async def submit(
        self,
        source: Source,
        *,
        engine: str = "",
        model: str = "",
        language: str = "",
        hotwords: Sequence[str] = (),
        word_timestamps: bool | None = None,
        region: str = "",
        options: JobOptions | None = None,
        display_name: str | None = None,
        request_id: str | None = None,
        progress: ProgressCallback | None = None,
    ) -> Job:
        """Create a job and return it at once. Once this returns, the job ends, whatever becomes of this program.

        Args:
            source: A file, bytes, an `Upload`, the name of one (`uploads/{id}`), or an http, https or s3 URI.
            engine: The engine; empty for the deployment's default.
            model: The engine's model; empty for the deployment's default.
            language: ISO 639 code; empty detects it, where the model can.
            hotwords: Words that are likely to be said.
            word_timestamps: Whether segments carry their words with times and confidence. None: where the model can
                give them; True is refused where it cannot.
            region: Where a cloud engine may hear the audio, as in `eu-west-1`; empty takes the deployment's.
            options: How to transcribe it, in which order, how long to keep it.
            display_name: What to call it. The file's name when None.
            request_id: Makes the same job of two calls with the same id. One is made when None.
            progress: Called with the bytes sent and the bytes in all, when there is something to upload.

        Raises:
            OSError: The file cannot be read.
            InvalidRequest: The recording, engine, model or language is not taken; the reason says which and why.
            TiroError: As everywhere.
        """
        submission = Submission(
            source=source,
            config=recognition_config(
                engine=engine,
                model=model,
                language=language,
                hotwords=hotwords,
                word_timestamps=word_timestamps,
                region=region,
            ),
            options=options or JobOptions(),
            display_name=display_name_of(source) if display_name is None else display_name,
            request_id=request_id,
            progress=progress,
        )
        return await submission.create(self._uploads, self._jobs)

    async def get(self, job: Job | str) -> Job:
        """A job as it stands.

        Args:
            job: The job, its name, or its bare id.
        """
        return await self._jobs.get(job)

    def list(self, *, page_size: int = 50) -> AsyncGenerator[Job, None]:
        """All jobs of the tenant, the newest first.

        Args:
            page_size: How many are asked for at a time, 1 to 1000.
        """
        return self._jobs.list(page_size)

    def watch(self, job: Job | str, *, after_sequence: int = 0) -> AsyncGenerator[JobEvent, None]:
        """What happens to a job, from any point of its history to its end. Goes on by itself when the service is away.

        Args:
            job: The job, its name, or its bare id.
            after_sequence: Only what comes after this event. 0 for everything.
        """
        return self._jobs.watch(job, after_sequence)

    async def wait(self, job: Job | str, *, timeout_seconds: float | None = None) -> Job:
        """Wait until a job has succeeded.

        Args:
            job: The job, its name, or its bare id.
            timeout_seconds: How long at most. None waits for as long as it takes.

        Raises:
            JobFailed: It failed; the reason says why.
            JobCancelled: It was cancelled.
            DeadlineExceeded: It did not end in time. It goes on.
        """
        return await self._jobs.wait(job, timeout_seconds)

    async def cancel(self, job: Job | str) -> Job:
        """End a job that is not over, and return it as it ended. Its worker stops soon after.

        Args:
            job: The job, its name, or its bare id.

        Raises:
            FailedPrecondition: It is over.
        """
        return await self._jobs.cancel(job)

    async def retry(self, job: Job | str, *, request_id: str | None = None) -> Job:
        """Create a new job with the recording and the settings of one that has failed or was cancelled.

        Args:
            job: The job, its name, or its bare id.
            request_id: Makes the same job of two calls with the same id. One is made when None.

        Raises:
            FailedPrecondition: It is not over, or has succeeded, or its recording is gone.
        """
        return await self._jobs.retry(job, request_id)

    async def delete(self, job: Job | str) -> None:
        """Remove a job, its transcript, its history, and its recording unless another job needs it. For good.

        Args:
            job: The job, its name, or its bare id. One that is not over is cancelled by it.
        """
        await self._jobs.delete(job)

    async def delete_audio(self, job: Job | str) -> Job:
        """Remove the recording of a job that is over, unless another job needs it. The transcript stays.

        Args:
            job: The job, its name, or its bare id.

        Raises:
            FailedPrecondition: The job is not over.
        """
        return await self._jobs.delete_audio(job)

    async def delete_upload(self, upload: Upload | str) -> None:
        """Remove a recording. For good.

        Args:
            upload: The upload, or its name.

        Raises:
            FailedPrecondition: A job that is not over needs it.
        """
        await self._uploads.delete(upload if isinstance(upload, str) else upload.name)

    @overload
    async def get_transcript(self, job: Job | str, *, format: Literal["segments"] = "segments") -> Transcript: ...

    @overload
    async def get_transcript(
        self, job: Job | str, *, format: TextFormat, subtitles: SubtitleOptions | None = None
    ) -> str: ...

    async def get_transcript(
        self,
        job: Job | str,
        *,
        format: Literal["segments"] | TextFormat = "segments",  # noqa: A002 - the word for it
        subtitles: SubtitleOptions | None = None,
    ) -> Transcript | str:
        """The transcript of a job that has succeeded.

        Args:
            job: The job, its name, or its bare id.
            format: `segments` for a `Transcript`; another for text, as the service writes it.
            subtitles: How `srt` and `vtt` are cut.

        Raises:
            FailedPrecondition: The job has not succeeded, or has no word timestamps to write as `words`.
            InvalidRequest: Something in `subtitles` is out of its range.
        """
        if format == "segments":
            return await self._jobs.transcript(job)
        return await self._jobs.text(job, TranscriptFormat(format), subtitles or SubtitleOptions())

    async def transcribe(
        self,
        source: Source,
        *,
        engine: str = "",
        model: str = "",
        language: str = "",
        hotwords: Sequence[str] = (),
        word_timestamps: bool | None = None,
        region: str = "",
        options: JobOptions | None = None,
        display_name: str | None = None,
        timeout_seconds: float | None = None,
    ) -> Transcript:
        """Submit a recording, wait, and return its transcript. Takes what `submit` takes and raises what it raises.

        Args:
            source: As in `submit`.
            engine: As in `submit`.
            model: As in `submit`.
            language: As in `submit`.
            hotwords: As in `submit`.
            word_timestamps: As in `submit`.
            region: As in `submit`.
            options: As in `submit`.
            display_name: As in `submit`.
            timeout_seconds: How long to wait for the job once it is accepted. None for as long as it takes.

        Raises:
            JobFailed: The job failed; the reason says why.
            DeadlineExceeded: It did not end in time. It goes on.
        """
        job = await self.submit(
            source,
            engine=engine,
            model=model,
            language=language,
            hotwords=hotwords,
            word_timestamps=word_timestamps,
            region=region,
            options=options,
            display_name=display_name,
        )
        await self.wait(job, timeout_seconds=timeout_seconds)
        return await self.get_transcript(job)

    def open_stream(self, config: LiveConfig) -> LiveStream:
        """A live session to be opened with `async with`, for programs that send and read as they like."""
        return LiveStream(self._opened(self._streaming), config)

    def stream(
        self,
        audio: AsyncIterable[bytes],
        *,
        sample_rate: int = 0,
        encoding: AudioEncoding | str = AudioEncoding.LINEAR16,
        engine: str = "",
        model: str = "",
        language: str = "",
        hotwords: Sequence[str] = (),
        word_timestamps: bool | None = None,
        region: str = "",
        interim_results: bool = True,
        channels: int = 1,
        freeze_stable: bool = False,
        keep_recording: bool = False,
        resume_seconds: float = RESUME_SECONDS,
    ) -> AsyncGenerator[LiveEvent, None]:
        """Transcribe audio while it comes. To leave before the end, close the iterator (`contextlib.aclosing`).

        A lost connection is replaced without losing anything; see `LiveStream`.

        Args:
            audio: The audio, in pieces of 20 to 200 ms. When it ends, the last finals follow.
            sample_rate: Samples a second, 8000 to 48000. Needed for LINEAR16 and MULAW.
            encoding: How the audio is encoded: `linear16`, `mulaw`, `flac`, `ogg_opus`.
            engine: The engine; empty for the deployment's default.
            model: The engine's model; empty for the deployment's default.
            language: ISO 639 code; empty detects it, where the model can.
            hotwords: Words that are likely to be said.
            word_timestamps: Whether segments carry their words. As in `submit`.
            region: As in `submit`.
            interim_results: Whether partials are wanted, or finals only.
            channels: Interleaved channels, 1 to 8, for LINEAR16 and MULAW. They are mixed to one.
            freeze_stable: Whether a stable word of a partial always stays as it is in the final.
            keep_recording: Whether the audio becomes an upload, which `SessionEnded` names.
            resume_seconds: How long a lost connection is tried to be replaced, up to 45. 0 raises at once.

        Raises:
            Unavailable: No worker offers the model, or the connection was lost for good.
            ResourceExhausted: All workers are full; `retry_after` says when to come again.
            TiroError: The session was refused or cut short.
            Exception: Whatever `audio` raises.
        """
        config = LiveConfig(
            encoding=AudioEncoding(encoding),
            sample_rate=sample_rate,
            engine=engine,
            model=model,
            language=language,
            hotwords=hotwords,
            word_timestamps=word_timestamps,
            region=region,
            interim_results=interim_results,
            channels=channels,
            freeze_stable=freeze_stable,
            keep_recording=keep_recording,
            resume_seconds=resume_seconds,
        )
        return transcribe_stream(self.open_stream(config), audio)

    def watch_session(
        self, session_id: str, *, after_sequence: int = 0, partials: bool = True
    ) -> AsyncGenerator[LiveEvent, None]:
        """What happens in a live session of the tenant, from any point of its history to its end.

        Changes nothing for the speaker. Goes on by itself when the service is away.

        Args:
            session_id: The session, as `SessionStarted` gave it to the speaker.
            after_sequence: Only what comes after this event. 0 for everything.
            partials: Whether partials are wanted too.

        Raises:
            NotFound: There is no such session, or its history is gone.
            TiroError: The session was cut short, or as everywhere.
        """
        return watch_session(
            self._opened(self._streaming), session_id, after_sequence=after_sequence, partials=partials
        )

    async def list_engines(self) -> tuple[Engine, ...]:
        """The engines that can be asked for, by name, with their models, and how many workers are alive and free."""
        return await list_engines(self._opened(self._batch))

    @property
    def _uploads(self) -> Uploads:
        return Uploads(self._opened(self._batch))

    @property
    def _jobs(self) -> Jobs:
        return Jobs(self._opened(self._batch))

    def _connection(self, address: str) -> AbstractAsyncContextManager[Connection]:
        settings = self._settings
        return open_connection(
            address, api_key=settings.api_key, tls_ca=settings.tls_ca, timeout_seconds=self._timeout_seconds
        )

    def _opened(self, connection: Connection | None) -> Connection:
        if connection is None:
            raise RuntimeError("the client is not open: use `async with AsyncClient() as client`")
        return connection
