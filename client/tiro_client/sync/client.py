"""The client for programs without an event loop: the methods of `AsyncClient`, which block."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, Unpack, overload

import grpc

from tiro_client.client import TIMEOUT_SECONDS, AsyncClient
from tiro_client.engines.models import Engine
from tiro_client.jobs.job import Job
from tiro_client.jobs.job_events import JobEvent
from tiro_client.jobs.job_options import JobOptions
from tiro_client.jobs.submission import Source
from tiro_client.jobs.subtitle_options import SubtitleOptions
from tiro_client.live.config import RESUME_SECONDS, AudioEncoding, LiveConfig
from tiro_client.live.events import LiveEvent
from tiro_client.recognition import RecognitionOptions
from tiro_client.sync.audio_thread import transcribe_stream
from tiro_client.sync.live_stream import SyncLiveStream
from tiro_client.sync.loop_thread import LoopThread
from tiro_client.transcript import Transcript
from tiro_client.uploads.upload import ProgressCallback, Upload
from tiro_formats.writer import TextFormat


class Client:
    """A client of a Tiro deployment, for programs without an event loop. Use as a context manager.

        with Client() as client:
            transcript = client.transcribe("speech.flac")
            print(transcript.text)

    Each method does what the method of `AsyncClient` with its name does, with the same arguments, result and
    exceptions, and blocks until it has the result. Several threads may call at once. Ctrl-C ends the call that the main
    thread waits for. Callbacks run in the client's thread; they cannot call the client.

    A process that was forked while a client was open cannot use that client, nor open another one: gRPC does not work
    in it. Open clients after the fork, as in a worker's own start, or start processes with `spawn`.

    Args:
        address: As for `AsyncClient`, as all that follow.
        streaming_address: `host:port` of live streams.
        api_key: The API key.
        tls: A PEM file of certificate authorities, or True for those that gRPC bundles. False: no TLS.
        client_certificate: A PEM file with the certificate chain that this client shows (mutual TLS).
        client_key: A PEM file with the key of that certificate.
        metadata: Metadata that every call carries, besides the API key.
        interceptors: gRPC's asynchronous interceptors of every call. They run in the client's thread.
        timeout_seconds: The deadline of a unary call. Each attempt has its own.
        allow_running_loop: Whether a thread that runs an event loop may call. The call blocks that loop, which is
            harmless in a notebook and stops a server.

    Raises:
        ValueError: As for `AsyncClient`.
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
        allow_running_loop: bool = False,
    ) -> None:
        self._client = AsyncClient(
            address,
            streaming_address=streaming_address,
            api_key=api_key,
            tls=tls,
            client_certificate=client_certificate,
            client_key=client_key,
            metadata=metadata,
            interceptors=interceptors,
            timeout_seconds=timeout_seconds,
        )
        self._allow_running_loop = allow_running_loop
        self._opened: LoopThread | None = None

    def __enter__(self) -> Self:
        """Open the channels. They connect with the first call.

        Raises:
            OSError: A file of certificates cannot be read.
            RuntimeError: The client is open, this thread runs an event loop, or this process was forked while a
                client was open.
        """
        if self._opened is not None:
            raise RuntimeError("the client is open")
        opened = LoopThread(self._client, allow_running_loop=self._allow_running_loop)
        opened.start()
        self._opened = opened
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def upload(
        self,
        source: str | Path | bytes,
        *,
        display_name: str | None = None,
        request_id: str | None = None,
        progress: ProgressCallback | None = None,
    ) -> Upload:
        """Upload a recording. After a lost connection only what was not stored is sent again."""
        return self._loop_thread.run(
            self._client.upload(source, display_name=display_name, request_id=request_id, progress=progress)
        )

    def delete_upload(self, upload: Upload | str) -> None:
        """Delete a recording. This cannot be undone."""
        self._loop_thread.run(self._client.delete_upload(upload))

    def submit(
        self,
        source: Source,
        *,
        options: JobOptions | None = None,
        display_name: str | None = None,
        request_id: str | None = None,
        progress: ProgressCallback | None = None,
        **recognition: Unpack[RecognitionOptions],
    ) -> Job:
        """Create a job and return it at once. From then on the job does not depend on this program."""
        return self._loop_thread.run(
            self._client.submit(
                source,
                options=options,
                display_name=display_name,
                request_id=request_id,
                progress=progress,
                **recognition,
            )
        )

    def get(self, job: Job | str) -> Job:
        """The current state of a job."""
        return self._loop_thread.run(self._client.get(job))

    def list(self, *, page_size: int = 50) -> Generator[Job, None, None]:
        """All jobs of the tenant, the newest first."""
        return self._loop_thread.iterate(self._client.list(page_size=page_size))

    def watch(self, job: Job | str, *, after_sequence: int = 0) -> Generator[JobEvent, None, None]:
        """The events of a job's history, to the job's end. A lost connection is replaced."""
        return self._loop_thread.iterate(self._client.watch(job, after_sequence=after_sequence))

    def wait(self, job: Job | str, *, timeout_seconds: float | None = None) -> Job:
        """Wait until a job has succeeded. The job continues if the wait ends before."""
        return self._loop_thread.run(self._client.wait(job, timeout_seconds=timeout_seconds))

    def cancel(self, job: Job | str) -> Job:
        """Cancel a job that has not ended, and return it. Its worker stops soon after."""
        return self._loop_thread.run(self._client.cancel(job))

    def retry(self, job: Job | str, *, request_id: str | None = None) -> Job:
        """Create a job with the recording and the settings of one that has failed or was cancelled."""
        return self._loop_thread.run(self._client.retry(job, request_id=request_id))

    def delete(self, job: Job | str) -> None:
        """Delete a job, its transcript, its history, and its recording unless another job needs it."""
        self._loop_thread.run(self._client.delete(job))

    def delete_audio(self, job: Job | str) -> Job:
        """Delete the recording of a job that has ended, unless another job needs it. The transcript is kept."""
        return self._loop_thread.run(self._client.delete_audio(job))

    @overload
    def get_transcript(self, job: Job | str, *, format: Literal["segments"] = "segments") -> Transcript: ...

    @overload
    def get_transcript(
        self, job: Job | str, *, format: TextFormat, subtitles: SubtitleOptions | None = None
    ) -> str: ...

    def get_transcript(
        self,
        job: Job | str,
        *,
        format: Literal["segments"] | TextFormat = "segments",  # noqa: A002 - the name that callers expect
        subtitles: SubtitleOptions | None = None,
    ) -> Transcript | str:
        """The transcript of a job that has succeeded: a `Transcript`, or text as the service writes it."""
        if format == "segments":
            return self._loop_thread.run(self._client.get_transcript(job))
        return self._loop_thread.run(self._client.get_transcript(job, format=format, subtitles=subtitles))

    def transcribe(
        self,
        source: Source,
        *,
        options: JobOptions | None = None,
        display_name: str | None = None,
        timeout_seconds: float | None = None,
        **recognition: Unpack[RecognitionOptions],
    ) -> Transcript:
        """Submit a recording, wait, and return its transcript."""
        return self._loop_thread.run(
            self._client.transcribe(
                source, options=options, display_name=display_name, timeout_seconds=timeout_seconds, **recognition
            )
        )

    def open_stream(self, config: LiveConfig) -> SyncLiveStream:
        """A live session, to be opened with `with`. It leaves sending and reading to the caller."""
        return SyncLiveStream(self._loop_thread, self._client.open_stream(config))

    def stream(
        self,
        audio: Iterable[bytes],
        *,
        sample_rate: int = 0,
        encoding: AudioEncoding | str = AudioEncoding.LINEAR16,
        interim_results: bool = True,
        channels: int = 1,
        freeze_stable: bool = False,
        keep_recording: bool = False,
        resume_seconds: float = RESUME_SECONDS,
        **recognition: Unpack[RecognitionOptions],
    ) -> Generator[LiveEvent, None, None]:
        """Transcribe audio while it is recorded. To leave early, close the iterator (`contextlib.closing`).

        A thread of its own iterates over `audio`, while this one reads the events.
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
    ) -> Generator[LiveEvent, None, None]:
        """The events of a live session of the tenant, to the session's end, without effect on the session."""
        return self._loop_thread.iterate(
            self._client.watch_session(session_id, after_sequence=after_sequence, partials=partials)
        )

    def list_engines(self) -> tuple[Engine, ...]:
        """The engines of the deployment, by name, with their models and with their live and free workers."""
        return self._loop_thread.run(self._client.list_engines())

    @property
    def _loop_thread(self) -> LoopThread:
        if self._opened is None:
            raise RuntimeError("the client is not open: use `with Client() as client`")
        return self._opened
