"""Batches of recordings."""

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from tests.integration.client.servers import Deployment
from tiro.speech.v1.transcript_pb2 import Segment
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import WatchTranscriptionResponse
from tiro_client import AsyncClient, JobOptions
from tiro_client.cli import exit_codes
from tiro_client.cli.transcribe import output
from tiro_client.cli.transcribe.batch import Batch, BatchSettings
from tiro_client.cli.transcribe.output import StdoutOutput
from tiro_client.cli.transcribe.progress import ProgressBoard
from tiro_client.cli.transcribe.recordings import Recording

NOTICE_SECONDS_MAX = 10.0
FILES = 12
CONCURRENCY = 2
WAITING = 3
"""Number of transcripts that may wait to be printed."""


class ObservedOutput(StdoutOutput):
    """An output that sets `full` when the batch has to wait."""

    def __init__(self, console: Console, recordings: Sequence[Recording]) -> None:
        super().__init__(console, "txt", recordings)
        self.full = asyncio.Event()

    async def wait_for_capacity(self) -> None:
        """Wait as usual."""
        if not self.has_capacity:
            self.full.set()
        await super().wait_for_capacity()


async def test_transcripts_that_wait_to_be_printed_are_limited(
    client: AsyncClient, deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the first job is slow, only as many files are submitted as may wait. Then all are printed in order."""
    succeeded = Transcription(state=Transcription.STATE_SUCCEEDED)
    deployment.jobs.events = [WatchTranscriptionResponse(sequence=1, state_changed=succeeded)]
    deployment.jobs.segments = [Segment(text="x" * 99)]
    monkeypatch.setattr(output, "WAITING_CHARACTERS_MAX", WAITING * 100)
    files = [tmp_path / f"{number:02}.wav" for number in range(FILES)]
    for file in files:
        file.write_bytes(b"RIFF")
    gate = deployment.jobs.watch_gates[files[0].name] = asyncio.Event()
    stream = io.StringIO()
    printed = ObservedOutput(Console(file=stream, soft_wrap=True), files)
    with ProgressBoard(Console(file=io.StringIO())) as board:
        batch = Batch(client, BatchSettings({}, JobOptions(), CONCURRENCY), board, printed)
        running = asyncio.create_task(batch.run(files))
        async with asyncio.timeout(NOTICE_SECONDS_MAX):
            await printed.full.wait()
        assert len(deployment.jobs.created) == WAITING + CONCURRENCY - 1
        assert stream.getvalue() == ""
        gate.set()
        assert await running == exit_codes.OK
    headings = [line for line in stream.getvalue().splitlines() if line.startswith("==>")]
    assert headings == [f"==> {file} <==" for file in files]
