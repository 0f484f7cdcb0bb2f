"""Recordings into the store and out again: nats-py's object store, Tiro's JetStream store, its S3 store, in turns.

All on this machine: nats-server with the configuration of the local deployment, SeaweedFS with one of each process.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.shared.report import table
from tests.support.nats import NatsServer, running_nats
from tests.support.s3 import S3Server, running_s3
from tiro_core.blobs.factory import open_blob_store
from tiro_core.blobs.interface import PART_BYTES, BlobStore
from tiro_core.blobs.reader import PARTS_AHEAD, read_parts
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.topology import ensure_streams
from tiro_core.settings import CoreSettings

MIB = 1024**2
SIZE = 256 * MIB
ROUNDS = 3
PARTS_UNDER_WAY = 2
"""Parts that ingest writes at once for one upload."""


@dataclass
class Way:
    """One way to store a recording, and its speed in MB/s in each round."""

    name: str
    put: Callable[[str, bytes], Awaitable[None]]
    get: Callable[[str, int], Awaitable[int]]
    remove: Callable[[str], Awaitable[object]]
    size: int = SIZE
    puts: list[float] = field(default_factory=list)
    gets: list[float] = field(default_factory=list)

    async def measure(self, key: str, recording: bytes) -> None:
        """Put as much of the recording as this way takes, get it, and delete it."""
        data = recording[: self.size]
        self.puts.append(await _rate(self.put(key, data), len(data)))
        read = time.perf_counter()
        size = await self.get(key, len(data))
        self.gets.append(len(data) / (time.perf_counter() - read) / 1e6)
        if size != len(data):
            raise AssertionError(f"{self.name} gave {size} bytes")
        await self.remove(key)


async def _rate(work: Awaitable[object], size: int) -> float:
    begun = time.perf_counter()
    await work
    return size / (time.perf_counter() - begun) / 1e6


async def _object_stores(bus: Bus) -> list[Way]:
    objects = await bus.jetstream.create_object_store("bench")

    async def put(key: str, data: bytes) -> None:
        await objects.put(key, data)

    async def into_memory(key: str, _size: int) -> int:
        return len((await objects.get(key)).data or b"")

    async def into_file(key: str, size: int) -> int:
        with tempfile.TemporaryFile() as file:
            await objects.get(key, writeinto=file)
            return file.tell() and size

    return [
        Way("nats-py's object store, into memory", put, into_memory, objects.delete, size=64 * MIB),
        Way("nats-py's object store, `writeinto` a file", put, into_file, objects.delete),
    ]


def _ours(name: str, store: BlobStore, *, ahead: bool) -> Way:
    async def put(key: str, data: bytes) -> None:
        places = asyncio.Semaphore(PARTS_UNDER_WAY)

        async def part(index: int, offset: int) -> None:
            async with places:
                await store.put_part(key, index, data[offset : offset + PART_BYTES])

        await asyncio.gather(*(part(*place) for place in enumerate(range(0, len(data), PART_BYTES))))

    async def get(key: str, size: int) -> int:
        if not ahead:
            return sum([len(await store.get_part(key, index)) for index in range(-(-size // PART_BYTES))])
        async with aclosing(read_parts(store, key, size)) as parts:
            return sum([len(part) async for part in parts])

    return Way(name, put, get, store.delete)


@asynccontextmanager
async def _ways(nats: NatsServer, s3: S3Server) -> AsyncIterator[Sequence[Way]]:
    settings = CoreSettings.model_validate({"nats_url": nats.url, "nats_monitor_url": nats.monitor_url})
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(open_bus(settings, "bench"))
        await ensure_streams(bus, replicas=1)
        jetstream = await stack.enter_async_context(open_blob_store(settings, bus))
        bucket = settings.model_copy(update=dict(s3.settings))
        objects = await stack.enter_async_context(open_blob_store(bucket, bus))
        yield [
            *await _object_stores(bus),
            _ours("JetStream, one part after the other", jetstream, ahead=False),
            _ours(f"JetStream, {PARTS_AHEAD} parts ahead (Tiro's)", jetstream, ahead=True),
            _ours("S3, one part after the other", objects, ahead=False),
            _ours(f"S3, {PARTS_AHEAD} parts ahead (Tiro's)", objects, ahead=True),
        ]


def _row(way: Way, reference: float) -> list[object]:
    get = statistics.median(way.gets)
    spread = f"{min(way.gets):.0f} to {max(way.gets):.0f}"
    return [
        way.name,
        way.size // MIB,
        f"{statistics.median(way.puts):.0f}",
        f"{get:.0f}",
        spread,
        f"{get / reference:.1f}",
    ]


async def _measure(nats: NatsServer, s3: S3Server, rounds: int) -> str:
    data = os.urandom(SIZE)
    async with _ways(nats, s3) as ways:
        for number in range(rounds):
            for way in ways:
                await way.measure(f"bench.round-{number}", data)
                print(
                    f"round {number}: {way.name}: put {way.puts[-1]:.0f}, get {way.gets[-1]:.0f} MB/s", file=sys.stderr
                )
    reference = statistics.median(ways[0].gets)
    rows = [_row(way, reference) for way in ways]
    head = ["store", "MiB", "put MB/s", "get MB/s", "of the rounds", "get / nats-py's into memory"]
    return f"{rounds} rounds in turns, medians.\n\n{table(head, rows)}"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add options of this benchmark."""
    parser.add_argument("--rounds", type=int, default=ROUNDS)


def run(arguments: argparse.Namespace) -> str:
    """Measure, and return the table."""
    folder = Path(tempfile.mkdtemp(prefix="tiro-bench-"))
    try:
        for name in ("nats", "s3"):
            (folder / name).mkdir()
        with running_nats(folder / "nats") as nats, running_s3(folder / "s3") as s3:
            os.environ.update(s3.environment)
            return asyncio.run(_measure(nats, s3, arguments.rounds))
    finally:
        shutil.rmtree(folder)
