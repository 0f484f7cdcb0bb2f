"""Transcribes several recordings at once: submits each, follows its job, and writes its transcript."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from tiro_client.cli import exit_codes
from tiro_client.cli.console import clock
from tiro_client.cli.explanations import describe, describe_unicode_error
from tiro_client.cli.transcribe.growing_text import GrowingText
from tiro_client.cli.transcribe.output import Output, StdoutOutput
from tiro_client.cli.transcribe.progress import FileProgress, ProgressBoard
from tiro_client.cli.transcribe.recordings import Recording, displayed
from tiro_client.cli.transcribe.rendering import Rendering
from tiro_client.cli.workers import how_to_start
from tiro_client.client import AsyncClient
from tiro_client.errors import JobFailed, TiroError
from tiro_client.jobs.job import Job, JobState
from tiro_client.jobs.job_client import succeeded
from tiro_client.jobs.job_events import JobProgress, JobSegments, JobStateChanged
from tiro_client.jobs.job_options import JobOptions
from tiro_client.tasks import cancel_and_wait

QUEUED_POLL_SECONDS = 3.0
"""Time between two queries of what a queued job waits for."""
CANCEL_SECONDS_MAX = 5.0
"""How long to wait for each job to be cancelled after Ctrl-C."""


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How the recordings of a batch are transcribed."""

    recognition: dict[str, Any]
    """The keyword arguments of `Recognition`."""
    options: JobOptions
    concurrency: int
    """How many recordings are transcribed at once."""
    rendering: Rendering = field(default_factory=Rendering)
    waits: bool = True
    """Whether a job whose model no worker runs waits for one."""


class NoWorker(Exception):  # noqa: N818 - reads as the condition it reports
    """No worker runs the model of a job, which was cancelled."""


@dataclass(slots=True)
class Batch:
    """Recordings that are transcribed, several at once."""

    client: AsyncClient
    settings: BatchSettings
    board: ProgressBoard
    output: Output
    audio_seconds: float = 0.0
    """Audio transcribed so far."""
    failures: list[int] = field(default_factory=list)
    """The exit code that each failed recording would have by itself."""
    active: dict[Recording, Job] = field(default_factory=dict)
    """Jobs whose transcripts are not written yet."""

    async def run(self, recordings: Sequence[Recording]) -> int:
        """Transcribe the recordings. One that fails does not stop the others.

        Returns:
            An exit code.
        """
        begun = time.monotonic()
        queue = iter(recordings)
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(min(self.settings.concurrency, len(recordings))):
                    tasks.create_task(self._work(queue))
        except asyncio.CancelledError:
            await self._cancel_all()
            raise
        except BaseExceptionGroup as group:
            # Only what ends the whole batch gets here, such as a closed stdout. The first exception says enough.
            raise group.exceptions[0] from None
        if len(recordings) > 1:
            self._summarize(len(recordings), time.monotonic() - begun)
        return self._exit_code(len(recordings))

    async def _work(self, queue: Iterator[Recording]) -> None:
        while True:
            # Before the recording is taken: one that was taken must not wait for those after it.
            await self.output.wait_for_capacity()
            recording = next(queue, None)
            if recording is None:
                return
            try:
                await self._transcribe(recording)
            except JobFailed as error:
                del self.active[recording]
                self._failed(recording, describe(error), exit_codes.exit_code_of(error))
            except TiroError as error:
                self._failed(recording, describe(error), exit_codes.exit_code_of(error))
            except NoWorker as error:
                self._failed(recording, str(error), exit_codes.UNREACHABLE)
            except OSError as error:
                self._failed(recording, error.strerror or str(error), exit_codes.USAGE)
            except UnicodeEncodeError as error:
                self._failed(recording, describe_unicode_error(error), exit_codes.USAGE)

    async def _transcribe(self, recording: Recording) -> None:
        with self.board.file(recording) as progress:
            job = await self.client.submit(
                recording, options=self.settings.options, progress=progress.uploading, **self.settings.recognition
            )
            self.active[recording] = job
            await self._require_worker(recording, job)
            growing = self._growing()
            ended = await self._follow(job, progress, growing)
            rendering = self.settings.rendering
            texts = {name: await rendering.text(self.client, recording, job, name) for name in self.output.formats}
        self.output.add(recording, {name: growing.rest_of(text) for name, text in texts.items()} if growing else texts)
        del self.active[recording]
        if ended.transcript is None:
            return
        self.audio_seconds += ended.transcript.audio_seconds
        for warning in ended.transcript.warnings:
            self.board.note(f"{displayed(recording)}: {warning.message} ({warning.reason})")

    def _growing(self) -> GrowingText | None:
        """Prints the text while it is made, where a person sees it."""
        if isinstance(self.output, StdoutOutput) and self.output.grows and not self.settings.rendering.json_lines:
            return GrowingText(self.settings.rendering, self.board.text)
        return None

    async def _require_worker(self, recording: Recording, job: Job) -> None:
        """Cancel a job that nothing serves, unless the caller waits: a policy shows its engine with the job only.

        Raises:
            NoWorker: The job was cancelled.
        """
        if self.settings.waits or not job.waiting_for:
            return
        del self.active[recording]
        await self.client.cancel(job)
        raise NoWorker(f"it would wait for {job.waiting_for}. {how_to_start(job.model)}")

    async def _follow(self, job: Job, progress: FileProgress, growing: GrowingText | None) -> Job:
        """Show the job's progress until it has succeeded, and return it in that state."""
        if job.state is JobState.FETCHING:
            progress.fetching(job.fetched_bytes)
        else:
            progress.queued(job.waiting_for)
        polling = asyncio.create_task(self._poll_while_queued(job, progress), name="queued-poll")
        try:
            async with aclosing(self.client.watch(job)) as events:
                async for event in events:
                    match event:
                        case JobStateChanged(job=now) if now.state.is_terminal:
                            return succeeded(now)
                        case JobStateChanged(job=now) if now.state is JobState.QUEUED:
                            progress.queued(now.waiting_for)
                        case JobStateChanged(job=now) if now.state is JobState.RUNNING:
                            polling.cancel()
                            progress.running(now.transcribed_seconds, now.audio_seconds)
                        case JobSegments() if growing is not None:
                            growing.add(event)
                        case JobProgress() if event.fetched_bytes:
                            progress.fetching(event.fetched_bytes)
                        case JobProgress() if event.audio_seconds:
                            progress.running(event.transcribed_seconds, event.audio_seconds)
            # There was no event left: the job had ended before.
            return succeeded(await self.client.get(job))
        finally:
            await cancel_and_wait(polling)

    async def _poll_while_queued(self, job: Job, progress: FileProgress) -> None:
        while True:
            await asyncio.sleep(QUEUED_POLL_SECONDS)
            try:
                now = await self.client.get(job)
            except TiroError:
                # Only the display depends on it. An error that matters is raised by the watch.
                continue
            if now.state is JobState.QUEUED:
                progress.queued(now.waiting_for)

    def _failed(self, recording: Recording, why: str, code: int) -> None:
        job = self.active.pop(recording, None)
        # A job that cannot be followed continues, and a transcript that cannot be written is kept.
        its_job = f"; its job is {job.name}" if job else ""
        self.failures.append(code)
        self.board.error(f"{displayed(recording)}: {why}{its_job}")
        self.output.add(recording, None)

    async def _cancel_all(self) -> None:
        """Cancel the active jobs. Those that cannot be cancelled soon are named."""
        async with asyncio.TaskGroup() as tasks:
            for recording, job in self.active.items():
                tasks.create_task(self._cancel(recording, job))

    async def _cancel(self, recording: Recording, job: Job) -> None:
        try:
            async with asyncio.timeout(CANCEL_SECONDS_MAX):
                await self.client.cancel(job)
        except (TiroError, TimeoutError):
            self.board.error(f"{displayed(recording)}: continues as {job.name}; see `tiro jobs watch {job.name}`")
        else:
            self.board.note(f"{displayed(recording)}: cancelled")

    def _summarize(self, count: int, seconds: float) -> None:
        failed = f", {len(self.failures)} failed" if self.failures else ""
        self.board.note(
            f"{count - len(self.failures)} of {count} files transcribed{failed}: "
            f"{clock(self.audio_seconds)} of audio in {clock(seconds)}"
        )

    def _exit_code(self, count: int) -> int:
        if not self.failures:
            return exit_codes.OK
        same = len(self.failures) == count and len(set(self.failures)) == 1
        return self.failures[0] if same else exit_codes.FAILED
