"""The client: uploads, jobs, transcripts, live streams and engines behind one object."""

from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, Unpack, overload

import grpc

from tiro_client.calls.connection import Connections, open_connections
from tiro_client.calls.metadata import call_metadata
from tiro_client.engines.listing import list_engines
from tiro_client.engines.models import Engine
from tiro_client.jobs.job import Job
from tiro_client.jobs.job_client import JobClient
from tiro_client.jobs.job_events import JobEvent
from tiro_client.jobs.job_options import JobOptions
from tiro_client.jobs.submission import Source, Submission, display_name_of
from tiro_client.jobs.subtitle_options import SubtitleOptions
from tiro_client.live.config import RESUME_SECONDS, AudioEncoding, LiveConfig
from tiro_client.live.events import LiveEvent
from tiro_client.live.session_watch import watch_session
from tiro_client.live.stream import LiveStream, transcribe_stream
from tiro_client.recognition import Recognition, RecognitionOptions
from tiro_client.settings import ClientSettings
from tiro_client.transcript import Transcript
from tiro_client.uploads.upload import ProgressCallback, Upload
from tiro_client.uploads.upload_client import UploadClient
from tiro_formats.writer import TextFormat

TIMEOUT_SECONDS = 30.0
"""The deadline of a unary call, unless the caller gives one."""


class AsyncClient:
    """A client of a Tiro deployment. Use as an async context manager.

        async with AsyncClient() as client:
            transcript = await client.transcribe("speech.flac")
            print(transcript.text)

    Every method raises a `TiroError` when the service refuses or fails. Calls that are safe to repeat are retried while
    the service is unavailable or full, within limits (see `tiro_client.calls.retrying`). Uploads, watches and live
    streams are resumed after a lost connection.

    Args:
        address: `host:port` of uploads and jobs, else `TIRO_ADDRESS`, else 127.0.0.1:50051.
        streaming_address: `host:port` of live streams, else `TIRO_STREAMING_ADDRESS`, else the address if one was given
            (a gateway serves both), else 127.0.0.1:50052.
        api_key: The API key, else `TIRO_API_KEY`, else none.
        tls: A PEM file of certificate authorities, or True for those that gRPC bundles, else `TIRO_TLS_CA` (a file, or
            `system`), else no TLS. False: no TLS in any case.
        client_certificate: A PEM file with the certificate chain that this client shows (mutual TLS), else
            `TIRO_TLS_CLIENT_CERTIFICATE`, else none.
        client_key: A PEM file with the key of that certificate, else `TIRO_TLS_CLIENT_KEY`, else none.
        metadata: Metadata that every call carries, besides the API key. Names are lower case; those that end in `-bin`
            have bytes.
        interceptors: gRPC's interceptors of every call, for each of its four kinds; the first one is the outermost.
        timeout_seconds: The deadline of a unary call. Each attempt has its own.

    Raises:
        ValueError: An address has no port, an API key or metadata has characters that cannot be sent, or a client
            certificate is given without its key or without TLS.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        streaming_address: str | None = None,
        api_key: str | None = None,
        tls: str | Path | bool | None = None,
        client_certificate: str | Path | None = None,
        client_key: str | Path | None = None,
        metadata: Mapping[str, str | bytes] | None = None,
        interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._settings = ClientSettings.resolve(
            address, streaming_address, api_key, tls, client_certificate=client_certificate, client_key=client_key
        )
        self._metadata = call_metadata(self._settings.api_key, metadata or {})
        self._interceptors = tuple(interceptors)
        self._timeout_seconds = timeout_seconds
        self._resources = AsyncExitStack()
        self._opened: Connections | None = None

    async def __aenter__(self) -> Self:
        """Open the channels. They connect with the first call.

        Raises:
            OSError: A file of certificates cannot be read.
            RuntimeError: This process was forked while a client was open.
        """
        opening = open_connections(
            self._settings,
            metadata=self._metadata,
            interceptors=self._interceptors,
            timeout_seconds=self._timeout_seconds,
        )
        self._opened = await self._resources.enter_async_context(opening)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._opened = None
        await self._resources.aclose()

    async def upload(
        self,
        source: str | Path | bytes,
        *,
        display_name: str | None = None,
        request_id: str | None = None,
        progress: ProgressCallback | None = None,
    ) -> Upload:
        """Upload a recording. After a lost connection only what was not stored is sent again.

        Args:
            source: A file, or the bytes themselves.
            display_name: A name for people. None: the file's name.
            request_id: Two calls with the same id make one upload. None: an id is generated.
            progress: Called with the bytes sent and the total bytes.

        Raises:
            OSError: The file cannot be read.
            InvalidRequest: It is not a recording that the deployment accepts; the reason says why.
        """
        content = source if isinstance(source, bytes) else Path(source)
        name = display_name_of(content) if display_name is None else display_name
        return await self._uploads.upload(content, display_name=name, request_id=request_id, progress=progress)

    async def delete_upload(self, upload: Upload | str) -> None:
        """Delete a recording. This cannot be undone.

        Args:
            upload: The upload, or its name.

        Raises:
            FailedPrecondition: A job that has not ended needs it.
        """
        await self._uploads.delete(upload if isinstance(upload, str) else upload.name)

    async def submit(
        self,
        source: Source,
        *,
        options: JobOptions | None = None,
        display_name: str | None = None,
        request_id: str | None = None,
        progress: ProgressCallback | None = None,
        **recognition: Unpack[RecognitionOptions],
    ) -> Job:
        """Create a job and return it at once. From then on the job does not depend on this program.

        Args:
            source: A file, bytes, an `Upload`, the name of one (`uploads/{id}`), or an http, https or s3 URI.
            options: How to transcribe it, with which priority, and how long to keep it.
            display_name: A name for people. None: the file's name.
            request_id: Two calls with the same id make one job. None: an id is generated.
            progress: Called with the bytes sent and the total bytes, if there is something to upload.
            **recognition: The options of recognition, such as `model` and `language`: the fields of `Recognition`.

        Raises:
            OSError: The file cannot be read.
            InvalidRequest: The recording, engine, model or language is not accepted; the reason says which and why.
        """
        submission = Submission(
            source=source,
            recognition=Recognition(**recognition),
            options=options or JobOptions(),
            display_name=display_name_of(source) if display_name is None else display_name,
            request_id=request_id,
            progress=progress,
        )
        return await submission.create(self._uploads, self._jobs)

    async def get(self, job: Job | str) -> Job:
        """The current state of a job.

        Args:
            job: The job, its name, or its bare id.
        """
        return await self._jobs.get(job)

    def list(self, *, page_size: int = 50) -> AsyncGenerator[Job, None]:
        """All jobs of the tenant, the newest first.

        Args:
            page_size: Jobs per call, 1 to 1000.
        """
        return self._jobs.list(page_size)

    def watch(self, job: Job | str, *, after_sequence: int = 0) -> AsyncGenerator[JobEvent, None]:
        """The events of a job's history, to the job's end. A lost connection is replaced.

        Args:
            job: The job, its name, or its bare id.
            after_sequence: Only events with a higher sequence number. 0: all events.
        """
        return self._jobs.watch(job, after_sequence)

    async def wait(self, job: Job | str, *, timeout_seconds: float | None = None) -> Job:
        """Wait until a job has succeeded.

        Args:
            job: The job, its name, or its bare id.
            timeout_seconds: How long to wait. None: without limit.

        Raises:
            JobFailed: The job failed; the reason says why.
            JobCancelled: The job was cancelled.
            DeadlineExceeded: The job did not end in time. It continues.
        """
        return await self._jobs.wait(job, timeout_seconds)

    async def cancel(self, job: Job | str) -> Job:
        """Cancel a job that has not ended, and return it. Its worker stops soon after.

        Args:
            job: The job, its name, or its bare id.

        Raises:
            FailedPrecondition: The job has ended.
        """
        return await self._jobs.cancel(job)

    async def retry(self, job: Job | str, *, request_id: str | None = None) -> Job:
        """Create a job with the recording and the settings of one that has failed or was cancelled.

        Args:
            job: The job, its name, or its bare id.
            request_id: Two calls with the same id make one job. None: an id is generated.

        Raises:
            FailedPrecondition: The job has not ended, or has succeeded, or its recording is deleted.
        """
        return await self._jobs.retry(job, request_id)

    async def delete(self, job: Job | str) -> None:
        """Delete a job, its transcript, its history, and its recording unless another job needs it.

        This cannot be undone. A job that has not ended is cancelled first.

        Args:
            job: The job, its name, or its bare id.
        """
        await self._jobs.delete(job)

    async def delete_audio(self, job: Job | str) -> Job:
        """Delete the recording of a job that has ended, unless another job needs it. The transcript is kept.

        Args:
            job: The job, its name, or its bare id.

        Raises:
            FailedPrecondition: The job has not ended.
        """
        return await self._jobs.delete_audio(job)

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
        format: Literal["segments"] | TextFormat = "segments",  # noqa: A002 - the name that callers expect
        subtitles: SubtitleOptions | None = None,
    ) -> Transcript | str:
        """The transcript of a job that has succeeded.

        Args:
            job: The job, its name, or its bare id.
            format: `segments` for a `Transcript`; any other for text as the service writes it.
            subtitles: How to split the text, for formats of subtitles.

        Raises:
            FailedPrecondition: The job has not succeeded, or the format needs word timestamps that it does not have.
            InvalidRequest: A value in `subtitles` is out of range.
            ValueError: There is no such format.
        """
        if format == "segments":
            return await self._jobs.transcript(job)
        return await self._jobs.transcript_text(job, format, subtitles or SubtitleOptions())

    async def transcribe(
        self,
        source: Source,
        *,
        options: JobOptions | None = None,
        display_name: str | None = None,
        timeout_seconds: float | None = None,
        **recognition: Unpack[RecognitionOptions],
    ) -> Transcript:
        """Submit a recording, wait, and return its transcript.

        Args:
            source: As for `submit`.
            options: As for `submit`.
            display_name: As for `submit`.
            timeout_seconds: How long to wait once the job is created. None: without limit.
            **recognition: As for `submit`, whose exceptions are raised too.

        Raises:
            JobFailed: The job failed; the reason says why.
            DeadlineExceeded: The job did not end in time. It continues.
        """
        job = await self.submit(source, options=options, display_name=display_name, **recognition)
        await self.wait(job, timeout_seconds=timeout_seconds)
        return await self.get_transcript(job)

    def open_stream(self, config: LiveConfig) -> LiveStream:
        """A live session, to be opened with `async with`. It leaves sending and reading to the caller."""
        return LiveStream(self._connections.streaming, config)

    def stream(
        self,
        audio: AsyncIterable[bytes],
        *,
        sample_rate: int = 0,
        encoding: AudioEncoding | str = AudioEncoding.LINEAR16,
        interim_results: bool = True,
        channels: int = 1,
        freeze_stable: bool = False,
        keep_recording: bool = False,
        resume_seconds: float = RESUME_SECONDS,
        **recognition: Unpack[RecognitionOptions],
    ) -> AsyncGenerator[LiveEvent, None]:
        """Transcribe audio while it is recorded. To leave early, close the iterator (`contextlib.aclosing`).

        A lost connection is replaced without loss of audio or events; see `LiveStream`.

        Args:
            audio: The audio, in pieces of 20 to 200 ms. When it ends, the last finals follow.
            sample_rate: As in `LiveConfig`.
            encoding: As in `LiveConfig`: `linear16`, `mulaw`, `flac`, `ogg_opus`.
            interim_results: As in `LiveConfig`.
            channels: As in `LiveConfig`.
            freeze_stable: As in `LiveConfig`.
            keep_recording: As in `LiveConfig`.
            resume_seconds: As in `LiveConfig`.
            **recognition: The options of recognition, such as `model` and `language`: the fields of `Recognition`.

        Raises:
            Unavailable: No worker offers the model, or the connection was lost and could not be replaced.
            ResourceExhausted: All workers are full; `retry_after` says how long to wait.
            TiroError: The session was refused or ended early.
            Exception: What `audio` raises.
        """
        config = LiveConfig(
            encoding=AudioEncoding(encoding),
            sample_rate=sample_rate,
            interim_results=interim_results,
            channels=channels,
            freeze_stable=freeze_stable,
            keep_recording=keep_recording,
            resume_seconds=resume_seconds,
            **recognition,
        )
        return transcribe_stream(self.open_stream(config), audio)

    def watch_session(
        self, session_id: str, *, after_sequence: int = 0, partials: bool = True
    ) -> AsyncGenerator[LiveEvent, None]:
        """The events of a live session of the tenant, to the session's end, without effect on the session.

        A lost connection is replaced.

        Args:
            session_id: The session: `SessionStarted` carries its id.
            after_sequence: Only events with a higher sequence number. 0: all events.
            partials: Whether partials are included.

        Raises:
            NotFound: There is no such session, or its history is deleted.
            TiroError: The session ended early.
        """
        return watch_session(self._connections.streaming, session_id, after_sequence=after_sequence, partials=partials)

    async def list_engines(self) -> tuple[Engine, ...]:
        """The engines of the deployment, by name, with their models and with their live and free workers."""
        return await list_engines(self._connections.batch)

    @property
    def _uploads(self) -> UploadClient:
        return UploadClient(self._connections.batch)

    @property
    def _jobs(self) -> JobClient:
        return JobClient(self._connections.batch)

    @property
    def _connections(self) -> Connections:
        if self._opened is None:
            raise RuntimeError("the client is not open: use `async with AsyncClient() as client`")
        return self._opened
