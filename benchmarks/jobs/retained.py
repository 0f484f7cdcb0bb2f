"""Ingest with very many retained jobs: its start, its memory, and pages of a list.

Ended jobs of one tenant, spread evenly over the last days, are written directly into the archive. Then ingest is
started. The time of a start is from the start of the process to the answer to the first list. Later pages follow the
first one; pages far back follow 1,000 others.
"""

import argparse
import asyncio
import itertools
import secrets
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil

from benchmarks.shared.report import table
from tests.support.nats import NatsServer, running_nats
from tests.support.processes import ServiceProcess, starting
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import ListTranscriptionsRequest
from tiro.transcription.v1.transcription_service_pb2_grpc import TranscriptionServiceStub
from tiro_core.clock import duration, in_seconds
from tiro_core.ids import DEFAULT_TENANT
from tiro_core.jobs.archive import JobArchive
from tiro_core.messaging.connection import open_bus
from tiro_core.messaging.topology import ensure_streams
from tiro_core.settings import CoreSettings
from tiro_ingest.jobs.expiry_entries import ExpiryEntries

WRITES_AT_ONCE = 256
PAGES_MEASURED = 30
PAGES_FAR_BACK = 1000
STARTS = 3
TTL_SECONDS = 60 * 24 * 3600
MIB = 1024 * 1024
_VERSION_7 = 7 << 76
_VARIANT = 2 << 62


@dataclass(frozen=True, slots=True)
class _Measured:
    ingest: tuple[float, int, int]
    """Seconds from its start to its first answer; resident bytes then, and after the lists."""
    pages: list[list[object]]
    """Rows of the table."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add options of this benchmark."""
    parser.add_argument("--jobs", type=int, default=1_000_000, help="retained jobs")
    parser.add_argument("--days", type=float, default=30, help="the time over which they ended")


def run(arguments: argparse.Namespace) -> str:
    """Measure, and return the tables."""
    with tempfile.TemporaryDirectory(prefix="tiro-bench-") as folder, running_nats(Path(folder)) as nats:
        asyncio.run(_fill(nats, arguments.jobs, arguments.days))
        settings = {"TIRO_NATS_URL": nats.url, "TIRO_NATS_MONITOR_URL": nats.monitor_url, "TIRO_AUTH": "off"}
        settings |= {"TIRO_INGEST_ADDRESS": "127.0.0.1:0", "TIRO_INGEST_METRICS_ADDRESS": ""}
        measured = [_measure(settings) for _ in range(STARTS)]
    start, idle, listed = (
        statistics.median(figures) for figures in zip(*(one.ingest for one in measured), strict=True)
    )
    figures = [
        ["start to the first answer, s", f"{start:.1f}"],
        ["resident, MiB", f"{idle / MIB:.0f}"],
        ["resident after the lists, MiB", f"{listed / MIB:.0f}"],
    ]
    head = ["page of", "first, ms", "longest", "later, ms", "longest", "far back, ms", "longest"]
    retained = f"{arguments.jobs:,} retained jobs of {arguments.days:g} days"
    title = f"{retained}. Medians of {STARTS} starts, and of {PAGES_MEASURED} pages after the last one."
    return "\n\n".join([title, table(["ingest", "figure"], figures), table(head, measured[-1].pages)])


def _measure(settings: Mapping[str, str]) -> _Measured:
    """Start ingest once."""
    with starting("tiro_ingest", settings) as ingest:
        seconds = asyncio.run(_first_answer(ingest))
        idle = psutil.Process(ingest.pid).memory_info().rss
        pages = asyncio.run(_pages(_address(ingest)))
        return _Measured((seconds, idle, psutil.Process(ingest.pid).memory_info().rss), pages)


def _address(ingest: ServiceProcess) -> str:
    return str(ingest.wait_for("listening", seconds=600)["address"])


async def _first_answer(ingest: ServiceProcess) -> float:
    begun = psutil.Process(ingest.pid).create_time()
    address = await asyncio.to_thread(_address, ingest)
    async with grpc.aio.insecure_channel(address) as channel:
        await TranscriptionServiceStub(channel).ListTranscriptions(ListTranscriptionsRequest(page_size=1))
    return time.time() - begun


async def _pages(address: str) -> list[list[object]]:
    """A row for each page size."""
    async with grpc.aio.insecure_channel(address) as channel:
        return [await _pages_of(channel, size) for size in (50, 100)]


async def _pages_of(channel: grpc.aio.Channel, size: int) -> list[object]:
    stub = TranscriptionServiceStub(channel)
    token = ""
    kinds: list[list[float]] = [[], [], []]

    async def ask(page_token: str, kind: list[float]) -> str:
        begun = time.perf_counter()
        page = await stub.ListTranscriptions(ListTranscriptionsRequest(page_size=size, page_token=page_token))
        kind.append(1000 * (time.perf_counter() - begun))
        if len(page.transcriptions) != size:
            sys.exit(f"a page has {len(page.transcriptions)} jobs")
        return str(page.next_page_token)

    for _ in range(PAGES_MEASURED):
        token = await ask("", kinds[0])
    for kind, pages in ((kinds[1], PAGES_MEASURED), ([], PAGES_FAR_BACK), (kinds[2], PAGES_MEASURED)):
        for _ in range(pages):
            token = await ask(token, kind)
    return [size, *itertools.chain.from_iterable((f"{statistics.median(k):.1f}", f"{max(k):.1f}") for k in kinds)]


async def _fill(nats: NatsServer, jobs: int, days: float) -> None:
    core = CoreSettings.model_validate({"nats_url": nats.url, "log_level": "warning"})
    async with open_bus(core, "bench-retained") as bus:
        await ensure_streams(bus, replicas=1)
        records, archive, entries = _records(jobs, days), JobArchive(bus), ExpiryEntries(bus)

        async def write() -> None:
            for record in records:
                await entries.add_next(record)
                await archive.add(record)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(WRITES_AT_ONCE):
                tasks.create_task(write())


def _records(jobs: int, days: float) -> Iterator[TranscriptionRecord]:
    """Jobs that ended within these days, the oldest first."""
    step = days * 24 * 3600 / jobs
    begin = -days * 24 * 3600
    for number in range(jobs):
        created = begin + number * step  # seconds from now
        yield TranscriptionRecord(
            tenant=DEFAULT_TENANT,
            transcription_id=_id_at(time.time() + created),
            display_name=f"recording {number}",
            config=RecognitionConfig(engine="fake", model="markers", enable_word_time_offsets=True),
            state=Transcription.STATE_SUCCEEDED,
            audio_duration=duration(60),
            create_time=in_seconds(created),
            end_time=in_seconds(created + 60),
            audio_deleted=True,
            expire_time=in_seconds(created + TTL_SECONDS),
        )


def _id_at(unix_seconds: float) -> str:
    """The UUIDv7 of a time."""
    milliseconds = int(unix_seconds * 1000)
    return str(uuid.UUID(int=milliseconds << 80 | _VERSION_7 | _VARIANT | secrets.randbits(62)))
