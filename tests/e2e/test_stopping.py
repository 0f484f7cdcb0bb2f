"""Services and NATS that are stopped at the same time, as by a machine's shutdown: real processes."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from tests.e2e.conftest import environment
from tests.support.nats import NatsServer, running_nats
from tests.support.processes import ServiceProcess, running
from tests.support.stack import READY
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import CancelTranscriptionRequest, CreateTranscriptionRequest
from tiro.transcription.v1.transcription_service_pb2_grpc import TranscriptionServiceStub

SAMPLES = Path(__file__).parents[2] / "samples"
IDLE_SECONDS = 25.0
"""Time without work. The fault of `test_idle_services_and_nats_stop_together` occurred only after such a time."""
ROUNDS = 3
INGESTS = 4


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    """A server that the test stops."""
    with running_nats(tmp_path) as server:
        yield server


def _stop_all(nats: NatsServer, services: list[ServiceProcess]) -> None:
    for service in services:
        service.signal(signal.SIGTERM)
    os.kill(nats.pid, signal.SIGTERM)
    for service in services:
        status = service.wait()
        overdue = [line for line in service.log if line["event"] == "stop_overdue"]
        assert (status, overdue) == (0, [])


@pytest.mark.parametrize("times", range(ROUNDS))
def test_services_and_nats_stop_together(times: int, nats: NatsServer) -> None:
    """Each service ends with status 0 and in time, although NATS is gone while it closes its consumers."""
    with ExitStack() as stack:
        names = list(READY)
        services = [
            stack.enter_context(running(f"tiro_{name}", environment(nats), ready=READY[name])) for name in names
        ]
        _stop_all(nats, services)


@pytest.mark.long
@pytest.mark.parametrize("times", range(ROUNDS))
def test_idle_services_and_nats_stop_together(times: int, nats: NatsServer) -> None:
    """Several ingests that are idle after some work stop in time: a queue's consumer must not miss its cancellation."""
    with ExitStack() as stack:
        services = [
            stack.enter_context(running("tiro_ingest", environment(nats), ready="listening")) for _ in range(INGESTS)
        ]
        for service in services:
            _submit_and_cancel(str(service.wait_for("listening")["address"]))
        time.sleep(IDLE_SECONDS)  # the idle time is the subject of the test
        _stop_all(nats, services)


def _submit_and_cancel(address: str) -> None:
    """Submit a job for a model that no worker has, and cancel it."""
    config = RecognitionConfig(engine="faster-whisper", model="large-v3")
    job = Transcription(content=(SAMPLES / "dictation.wav").read_bytes(), config=config)
    with grpc.insecure_channel(address) as channel:
        jobs = TranscriptionServiceStub(channel)
        created = jobs.CreateTranscription(CreateTranscriptionRequest(transcription=job), timeout=30)
        jobs.CancelTranscription(CancelTranscriptionRequest(name=created.name), timeout=30)
