"""Open streams of Amazon Transcribe without audio: the cores that they use, and the delay of audio that is sent.

With the SDK's own bodies, which awscrt polls without a pause, and with Tiro's, which sleep (ADR 21), in turns.
The service is the test server in this process; its own share is in both figures.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from io import RawIOBase
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.shared.report import table
from tests.support.transcribe_service.account import amazon_account
from tests.support.transcribe_service.server import TranscribeServer
from tiro_core.logs.setup import configure_logging
from tiro_engines.amazon_transcribe import service
from tiro_engines.amazon_transcribe.body import PacedBody
from tiro_engines.fake.markers import encode
from tiro_engines.interface import (
    SAMPLE_RATE,
    Engine,
    EngineSession,
    EngineSettings,
    RecognitionOptions,
    Samples,
    SessionOptions,
)
from tiro_engines.registry import find_engine

STREAMS = (1, 4, 16)
IDLE_SECONDS = 3.0
CHUNKS = 30
CHUNK_SAMPLES = SAMPLE_RATE // 10
BURST_SECONDS = 30
OPTIONS = SessionOptions(RecognitionOptions("en"))


class SdkBody(RawIOBase):
    """The SDK's own body, read as the SDK reads it."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def readinto(self, buffer: Any) -> int:
        """Pass on the body's bytes."""
        return int(self._body.readinto(buffer))

    def end(self) -> None:
        """End the body."""
        self._body.end_stream()


def _speech() -> Samples:
    spoken = encode(range(1, 101)).astype(np.float32) / np.float32(32768)
    return np.tile(spoken, BURST_SECONDS * SAMPLE_RATE // len(spoken) + 1)[: BURST_SECONDS * SAMPLE_RATE]


@contextmanager
def _sessions(engine: Engine, server: TranscribeServer, speech: Samples, count: int) -> Iterator[list[EngineSession]]:
    """A number of sessions whose streams have begun."""
    before = len(server.streams)
    sessions = [engine.open_session(OPTIONS, 0) for _ in range(count)]
    for session in sessions:
        session.advance(speech[:CHUNK_SAMPLES])
    server.wait_until(lambda: len(server.streams) == before + count and _arrived(server, before) == count, 60.0)
    try:
        yield sessions
    finally:
        for session in sessions:
            session.close()
        server.wait_until(lambda: server.streams_open == 0, 60.0)


def _arrived(server: TranscribeServer, before: int) -> int:
    return sum(stream.audio_events > 0 for stream in server.streams[before:])


def _measure(engine: Engine, server: TranscribeServer, speech: Samples, count: int) -> tuple[float, float]:
    """Cores used by idle streams, and milliseconds until a chunk of 100 ms reaches the server over one of them."""
    with _sessions(engine, server, speech, count) as sessions:
        begun = time.process_time()
        time.sleep(IDLE_SECONDS)
        cores = (time.process_time() - begun) / IDLE_SECONDS
        waits = []
        for index in range(1, CHUNKS + 1):
            chunk = speech[index * CHUNK_SAMPLES : (index + 1) * CHUNK_SAMPLES]
            waits.append(_seconds_to_server(server, sessions[0], chunk) * 1000)
            time.sleep(0.05)
    return cores, statistics.median(waits)


def _seconds_to_server(server: TranscribeServer, session: EngineSession, chunk: Samples) -> float:
    received = sum(stream.audio_events for stream in server.streams)
    sent = time.perf_counter()
    session.advance(chunk)
    server.wait_until(lambda: sum(stream.audio_events for stream in server.streams) > received)
    return time.perf_counter() - sent


def _burst(engine: Engine, server: TranscribeServer, speech: Samples) -> float:
    """Seconds until the server has audio that is passed in one call."""
    with _sessions(engine, server, speech, 1) as (session,):
        begun = time.perf_counter()
        session.advance(speech)
        session.finalize()
        return time.perf_counter() - begun


def _rows(ways: Sequence[tuple[str, Callable[[Any], Any]]]) -> list[tuple[object, ...]]:
    speech = _speech()
    rows: list[tuple[object, ...]] = []
    with amazon_account() as server:
        engine = find_engine("amazon-transcribe").load("streaming", EngineSettings(models_dir=""))
        for count in STREAMS:
            for name, body in ways:
                with patch.object(service, "PacedBody", body):
                    cores, wait = _measure(engine, server, speech, count)
                    burst = f"{_burst(engine, server, speech):.1f}" if count == 1 else ""
                rows.append((count, name, f"{cores:.2f}", f"{wait:.0f}", burst))
                print(*rows[-1], sep="\t", file=sys.stderr)
        engine.close()
    return rows


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add no options."""


def run(_: argparse.Namespace) -> str:
    """Measure, and return the table."""
    configure_logging("benchmark", "console", "warning")
    rows = _rows([("the SDK's", SdkBody), ("resting", PacedBody)])
    header = ("open streams", "bodies", "cores, idle", "ms for a chunk", f"s for {BURST_SECONDS} s at once")
    versions = f"amazon-transcribe {version('amazon-transcribe')}, awscrt {version('awscrt')}."
    how = f"{versions} Median of {CHUNKS} chunks of 100 ms; the test server is in the process."
    return f"{table(header, rows)}\n\n{how}"
