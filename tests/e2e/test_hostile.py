"""The hostile corpus through a real ingest and a real worker: each file is decoded or refused with a reason."""

import asyncio
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

import psutil
import pytest
from google.protobuf.message import Message

from tests.e2e.speech import wav
from tests.hostile.corpus import corpus
from tests.hostile.files import HostileFile
from tests.support.stack import Stack, running_stack
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.transcription.v1 import upload_pb2
from tiro_client import AsyncClient, JobFailed, TiroError
from tiro_core.jobs.states import TERMINAL
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.records import CAUGHT_UP, RecordStore
from tiro_core.settings import CoreSettings
from tiro_engines.fake.markers import encode

PER_KIND = 2
"""Files of each kind in the part of the corpus that every test run uses."""
PART_FILES_MIN = 60
FILES_MIN = 300
CALLERS = 8
END_SECONDS_MAX = 60.0
WORDS = range(5)
TEXT = " ".join(f"w{number}" for number in WORDS)
CANARY_WORD = 4711
REFUSALS = {
    "EMPTY_AUDIO",
    "NOT_AUDIO",
    "NO_AUDIO_STREAM",
    "AUDIO_ENCRYPTED",
    "AUDIO_PARAMETERS",
    "AUDIO_TOO_LONG",
    "AUDIO_TOO_SHORT",
    "AUDIO_UNDECODABLE",
}
"""Reasons with which a file may be refused: faults of the file. Crashes and timeouts are not among them."""

M = TypeVar("M", bound=Message)


class Outcome(NamedTuple):
    """The outcome of one file.

    Attributes:
        refused: the reason with which the upload was refused; empty if it was accepted.
        failed: the reason with which its job failed; empty if it succeeded, or there was none.
        text: the transcript.
    """

    refused: str = ""
    failed: str = ""
    text: str = ""


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Tiro with the fake engine, and recordings of ten minutes at most."""
    settings = {
        "TIRO_ENGINE": "fake",
        "TIRO_DEFAULT_ENGINE": "fake",
        "TIRO_JOB_SLOTS": "2",
        "TIRO_AUDIO_SECONDS_MAX": "600",
    }
    with running_stack(tmp_path, settings) as running:
        yield running


async def test_some_files_of_every_kind(stack: Stack, tmp_path: Path) -> None:
    """Each file is transcribed or refused with a reason. All processes survive, and no reference is followed."""
    with canaries(tmp_path) as (canary, port):
        await check(stack, some_of_each_kind(corpus(canary, port)), files_min=PART_FILES_MIN)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_the_whole_corpus(stack: Stack, tmp_path: Path) -> None:
    """Each file of the corpus is transcribed or refused, as in `test_some_files_of_every_kind`."""
    with canaries(tmp_path) as (canary, port):
        await check(stack, list(corpus(canary, port)), files_min=FILES_MIN)


@contextmanager
def canaries(folder: Path) -> Iterator[tuple[Path, int]]:
    """A recording of `CANARY_WORD` that no service may read, and a port that must see no connection."""
    canary = folder / "canary.wav"
    canary.write_bytes(wav(encode([CANARY_WORD])))
    with socket.create_server(("127.0.0.1", 0)) as port:
        port.setblocking(False)
        yield canary, port.getsockname()[1]
        with pytest.raises(BlockingIOError):
            port.accept()


def some_of_each_kind(files: Iterator[HostileFile]) -> list[HostileFile]:
    """The first ones of each kind. What comes before a name's last dash is the kind."""
    kinds: dict[str, list[HostileFile]] = defaultdict(list)
    for file in files:
        kinds[file.name.rpartition("-")[0] or file.name].append(file)
    return [file for kind in kinds.values() for file in kind[:PER_KIND]]


async def check(stack: Stack, files: Sequence[HostileFile], *, files_min: int) -> None:
    """Send the files, several at a time, then a valid one. Then check outcomes, processes and records."""
    assert len(files) >= files_min
    before = processes(stack)
    async with AsyncClient(stack.address) as client:
        slots = asyncio.Semaphore(CALLERS)

        async def send(file: HostileFile) -> Outcome:
            async with slots:
                return await outcome(client, file.data)

        outcomes = await asyncio.gather(*(send(file) for file in files))
        assert [line for line in map(complaint, files, outcomes) if line] == []
        good = await outcome(client, wav(encode(WORDS)))
    assert good == Outcome(text=TEXT)
    assert processes(stack) == before, "a process was lost, started again, or left behind"
    await check_records(stack, [*outcomes, good])


async def outcome(client: AsyncClient, data: bytes) -> Outcome:
    """Upload a file, and transcribe it if it was accepted."""
    try:
        upload = await client.upload(data)
    except TiroError as error:
        return Outcome(refused=error.reason or "no reason")
    try:
        job = await client.wait(await client.submit(upload), timeout_seconds=END_SECONDS_MAX)
    except JobFailed as error:
        return Outcome(failed=error.reason or "no reason")
    return Outcome(text=(await client.get_transcript(job)).text)


def complaint(file: HostileFile, seen: Outcome) -> str:
    """What is wrong with the outcome of a file; empty if it is right."""
    reasons = {seen.refused, seen.failed} - {""}
    wanted = reasons & REFUSALS if file.reason is None else {file.reason} - {""}
    if reasons == wanted and not seen.text:
        return ""
    return f"{file.name}: {seen}, wanted {wanted or 'a transcript without words'}"


def processes(stack: Stack) -> dict[str, set[int]]:
    """The processes of each service, its decoders' template included."""
    services = {"ingest": stack.ingest, "streamer": stack.streamer, "transcriber": stack.transcriber}
    running = {name: psutil.Process(service.pid) for name, service in services.items()}
    return {
        name: {one.pid for one in (process, *process.children(recursive=True)) if one.status() != psutil.STATUS_ZOMBIE}
        for name, process in running.items()
    }


async def check_records(stack: Stack, outcomes: Sequence[Outcome]) -> None:
    """Records agree with the calls: uploads are READY, or FAILED with an error; every job is terminal."""
    async with open_bus(CoreSettings.model_validate({"nats_url": stack.nats.url}), "test") as bus:
        uploads = [record async for record in values(bus, topology.UPLOADS_BUCKET, UploadRecord)]
        jobs = [record async for record in values(bus, topology.JOBS_BUCKET, TranscriptionRecord)]
    taken = sum(not seen.refused for seen in outcomes)
    failed = [upload for upload in uploads if upload.state == upload_pb2.Upload.STATE_FAILED]
    assert sum(upload.state == upload_pb2.Upload.STATE_READY for upload in uploads) == taken
    assert len(failed) == len(uploads) - taken == len(outcomes) - taken
    assert all(upload.error.details for upload in failed)
    assert len(jobs) == taken
    assert all(job.state in TERMINAL for job in jobs)


async def values(bus: Bus, bucket: str, kind: type[M]) -> AsyncIterator[M]:
    """The present records of a bucket."""
    async with RecordStore(bus, bucket, kind).watch(">") as changes:
        async for change in changes:
            if change is CAUGHT_UP:
                return
            if change.value is not None:
                yield change.value
