"""Many files at once: each is submitted, followed to its end, and its transcript put out."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from tiro_client.calls.tasks import cancel_and_wait
from tiro_client.cli import exit_codes
from tiro_client.cli.console import clock
from tiro_client.cli.session import describe
from tiro_client.cli.transcribe.output import Output
from tiro_client.cli.transcribe.progress import FileProgress, ProgressBoard
from tiro_client.cli.transcribe.recordings import Recording, displayed
from tiro_client.client import AsyncClient
from tiro_client.errors import TiroError
from tiro_client.jobs.calls import succeeded
from tiro_client.jobs.models import Job, JobProgress, JobState, JobStateChanged
from tiro_client.jobs.options import JobOptions

QUEUED_LOOK_SECONDS = 3.0
"""How often a queued job is asked what it waits for."""
CANCEL_SECONDS_MAX = 5.0
"""How long Ctrl-C waits for jobs to be cancelled."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """What to recognize with."""

    engine: str
    model: str
    language: str
    hotwords: Sequence[str]
    region: str
    options: JobOptions


@dataclass(slots=True)
class Batch:
    """Files to be transcribed, so many at once."""

    client: AsyncClient
    recognition: Recognition
    board: ProgressBoard
    output: Output
    concurrency: int
    audio_seconds: float = 0.0
    """Audio transcribed so far."""
    failures: list[int] = field(default_factory=list)
    """The exit code that each failed file would have on its own."""
    accepted: dict[Recording, Job] = field(default_factory=dict)
    """Jobs under way."""

    async def run(self, files: Sequence[Recording]) -> int:
        """Transcribe the files. One that fails does not stop the others.

        Returns:
            An exit code.
        """
        begun = time.monotonic()
        queue = iter(files)
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(min(self.concurrency, len(files))):
                    tasks.create_task(self._work(queue))
        except asyncio.CancelledError:
            await self._cancel_all()
            raise
        except BaseExceptionGroup as group:
            # Only what ends everything gets here, as stdout that is closed: the first of it says enough.
            raise group.exceptions[0] from None
        if len(files) > 1:
            self._summarize(len(files), time.monotonic() - begun)
        return self._exit_code(len(files))

    async def _work(self, queue: Iterator[Recording]) -> None:
        for path in queue:
            try:
                await self._transcribe(path)
            except TiroError as error:
                self._failed(path, describe(error), exit_codes.exit_code_of(error))
            except OSError as error:
                self._failed(path, error.strerror or str(error), exit_codes.USAGE)

    async def _transcribe(self, path: Recording) -> None:
        wanted = self.recognition
        with self.board.file(path) as progress:
            job = await self.client.submit(
                path,
                engine=wanted.engine,
                model=wanted.model,
                language=wanted.language,
                hotwords=wanted.hotwords,
                region=wanted.region,
                options=wanted.options,
                progress=progress.uploading,
            )
            self.accepted[path] = job
            ended = await self._follow(job, progress)
            texts = {item: await self.client.get_transcript(job, format=item.value) for item in self.output.formats}
        self.output.add(path, texts)
        del self.accepted[path]
        if ended.transcript is None:
            return
        self.audio_seconds += ended.transcript.audio_seconds
        for warning in ended.transcript.warnings:
            self.board.note(f"{displayed(path)}: {warning.message} ({warning.reason})")

    async def _follow(self, job: Job, progress: FileProgress) -> Job:
        """Show how the job is doing until it has succeeded, and return it as it is then."""
        if job.state is JobState.FETCHING:
            progress.fetching(job.fetched_bytes)
        else:
            progress.queued(job.waiting_for)
        looking = asyncio.create_task(self._look_while_queued(job, progress))
        try:
            async with aclosing(self.client.watch(job)) as events:
                async for event in events:
                    match event:
                        case JobStateChanged(job=now) if now.state.is_terminal:
                            return succeeded(now)
                        case JobStateChanged(job=now) if now.state is JobState.QUEUED:
                            progress.queued(now.waiting_for)
                        case JobStateChanged(job=now) if now.state is JobState.RUNNING:
                            looking.cancel()
                            progress.running(now.transcribed_seconds, now.audio_seconds)
                        case JobProgress() if event.fetched_bytes:
                            progress.fetching(event.fetched_bytes)
                        case JobProgress() if event.audio_seconds:
                            progress.running(event.transcribed_seconds, event.audio_seconds)
            # Nothing was left to follow: the job had ended before.
            return succeeded(await self.client.get(job))
        finally:
            await cancel_and_wait(looking)

    async def _look_while_queued(self, job: Job, progress: FileProgress) -> None:
        while True:
            await asyncio.sleep(QUEUED_LOOK_SECONDS)
            try:
                now = await self.client.get(job)
            except TiroError:
                # Only the display looks here. Whether the job can still be followed is the watch's to tell.
                continue
            if now.state is JobState.QUEUED:
                progress.queued(now.waiting_for)

    def _failed(self, path: Recording, why: str, code: int) -> None:
        self.accepted.pop(path, None)
        self.failures.append(code)
        self.board.note(f"{displayed(path)}: {why}")
        self.output.add(path, None)

    async def _cancel_all(self) -> None:
        """Cancel what is under way: nobody wants it any more. What cannot be cancelled soon is named."""
        async with asyncio.TaskGroup() as tasks:
            for path, job in self.accepted.items():
                tasks.create_task(self._cancel(path, job))

    async def _cancel(self, path: Recording, job: Job) -> None:
        try:
            async with asyncio.timeout(CANCEL_SECONDS_MAX):
                await self.client.cancel(job)
        except (TiroError, TimeoutError):
            self.board.note(f"{displayed(path)}: goes on as {job.name}; see `tiro jobs watch {job.name}`")
        else:
            self.board.note(f"{displayed(path)}: cancelled")

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
