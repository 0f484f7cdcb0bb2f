"""Ingest as a process: start, stop, and outages of NATS."""

import hashlib
import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGTERM
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

from tests.integration.ingest.conftest import DEADLINE_SECONDS, messages
from tests.support.nats import NatsServer, running_nats
from tests.support.processes import ServiceProcess
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro.transcription.v1.transcription_service_pb2 import (
    CreateTranscriptionRequest,
    GetTranscriptionRequest,
    WatchTranscriptionRequest,
)
from tiro.transcription.v1.transcription_service_pb2_grpc import TranscriptionServiceStub
from tiro.transcription.v1.upload_pb2 import Upload
from tiro.transcription.v1.upload_service_pb2 import CreateUploadRequest, GetUploadRequest, WriteUploadRequest
from tiro.transcription.v1.upload_service_pb2_grpc import UploadServiceStub
from tiro_core.blobs.interface import PART_BYTES

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
MODULE = "tiro_ingest"
EXIT_REFUSED = 3
FAKE = RecognitionConfig(engine="fake")


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    """A NATS server that the test may stop and kill."""
    with running_nats(tmp_path) as server:
        yield server


Start = Callable[..., ServiceProcess]


@pytest.fixture
def start(nats: NatsServer) -> Iterator[Start]:
    """A function that starts an ingest process. It is killed at the end."""
    started: list[ServiceProcess] = []

    def start(**environment: str) -> ServiceProcess:
        base = {
            "TIRO_NATS_URL": nats.url,
            "TIRO_NATS_MONITOR_URL": nats.monitor_url,
            "TIRO_INGEST_ADDRESS": "127.0.0.1:0",
            "TIRO_INGEST_METRICS_ADDRESS": "127.0.0.1:0",
            "TIRO_STORAGE_RESERVE_BYTES": "0",
            "TIRO_AUTH": "off",
        }
        service = ServiceProcess(MODULE, {**base, **environment})
        started.append(service)
        service.start()
        return service

    yield start
    for service in started:
        service.close()


def _channel(service: ServiceProcess) -> grpc.Channel:
    return grpc.insecure_channel(service.wait_for("listening")["address"])


def _health(channel: grpc.Channel) -> Iterator[int]:
    """The health answer and each change of it."""
    request = health_pb2.HealthCheckRequest(service="tiro.transcription.v1.UploadService")
    stub: Any = health_pb2_grpc.HealthStub(channel)  # Any, because its types lack Watch
    for answer in stub.Watch(request, timeout=DEADLINE_SECONDS):
        yield answer.status


def _reason(error: Any) -> str:
    status = rpc_status.from_call(error)
    assert status is not None, error
    info = error_details_pb2.ErrorInfo()
    status.details[0].Unpack(info)
    return str(info.reason)


def test_ingest_waits_for_nats(nats: NatsServer, start: Start) -> None:
    """Ingest logs that it waits for NATS, does not listen meanwhile, and serves once NATS answers."""
    nats.stop()
    service = start()
    service.wait_for("nats_disconnected")
    assert not [line for line in service.log if line["event"] == "listening"]
    nats.start()
    with _channel(service) as channel:
        assert next(_health(channel)) == SERVING
    assert service.stop() == 0
    assert service.log[-1]["event"] == "stopped"


def test_ingest_can_be_stopped_while_it_waits_for_nats(nats: NatsServer, start: Start) -> None:
    """A signal ends the wait with status 0."""
    nats.stop()
    service = start()
    service.wait_for("nats_disconnected")
    assert service.stop() == 0
    assert "stopped_while_starting" in [line["event"] for line in service.log]


def test_ingest_refuses_a_server_that_may_lose_jobs(tmp_path: Path, start: Start) -> None:
    """A server that does not flush is refused, unless the setting allows it."""
    folder = tmp_path / "unsafe"
    folder.mkdir()
    with running_nats(folder, sync_interval="2m") as unsafe:
        addresses = {"TIRO_NATS_URL": unsafe.url, "TIRO_NATS_MONITOR_URL": unsafe.monitor_url}
        refusing = start(**addresses)
        assert "sync_interval" in refusing.wait_for("refused_to_start")["reason"]
        assert refusing.wait() == EXIT_REFUSED
        allowing = start(**addresses, TIRO_ALLOW_UNSAFE_NATS="true")
        allowing.wait_for("listening")
        assert allowing.stop() == 0


def test_ingest_survives_a_restart_of_nats(nats: NatsServer, start: Start, speech: bytes) -> None:
    """Ingest is NOT_SERVING while NATS is down and SERVING afterwards, and accepted jobs are kept."""
    with _channel(start()) as channel:
        jobs = TranscriptionServiceStub(channel)
        health = _health(channel)
        assert next(health) == SERVING
        transcription = Transcription(content=speech, config=FAKE)
        job = jobs.CreateTranscription(
            CreateTranscriptionRequest(transcription=transcription), timeout=DEADLINE_SECONDS
        )
        nats.kill()
        assert next(health) == NOT_SERVING
        nats.start()
        assert next(health) == SERVING
        again = jobs.GetTranscription(GetTranscriptionRequest(name=job.name), timeout=DEADLINE_SECONDS)
        assert again.upload == job.upload
        other = jobs.CreateTranscription(
            CreateTranscriptionRequest(transcription=transcription), timeout=DEADLINE_SECONDS
        )
        assert other.name > job.name


def test_an_upload_survives_a_restart_of_nats(nats: NatsServer, start: Start, long_recording: bytes) -> None:
    """A write during a restart of NATS waits, or fails with NOT_READY and can be resumed. No byte is lost."""
    with _channel(start()) as channel:
        uploads = UploadServiceStub(channel)
        upload = uploads.CreateUpload(CreateUploadRequest(), timeout=DEADLINE_SECONDS)

        restarting = threading.Lock()
        restarted = threading.Event()

        def restart() -> None:
            with restarting:
                if not restarted.is_set():
                    nats.start()
                    restarted.set()

        def interrupted() -> Iterator[WriteUploadRequest]:
            requests = messages(upload.name, long_recording)
            yield from requests[:5]
            nats.kill()
            yield from requests[5:7]
            restart()
            yield from requests[7:]

        try:
            upload = uploads.WriteUpload(interrupted(), timeout=DEADLINE_SECONDS)
        except grpc.RpcError as error:
            if _reason(error) != "NOT_READY":
                raise
            restart()  # gRPC does not continue the iterator of a call that has failed
            upload = uploads.GetUpload(GetUploadRequest(name=upload.name), timeout=DEADLINE_SECONDS)
            rest = messages(upload.name, long_recording[upload.committed_size :], offset=upload.committed_size)
            upload = uploads.WriteUpload(iter(rest), timeout=DEADLINE_SECONDS)
        assert (upload.state, upload.committed_size) == (Upload.STATE_READY, len(long_recording))
        assert upload.sha256 == hashlib.sha256(long_recording).hexdigest()


def test_sigterm_drains(nats: NatsServer, start: Start, speech: bytes, long_recording: bytes) -> None:
    """On SIGTERM watches and writes end with SHUTTING_DOWN, and the process with 0. The upload can be resumed."""
    service = start(TIRO_GRACE_SECONDS="20")
    with _channel(service) as channel:
        transcription = Transcription(content=speech, config=FAKE)
        job = TranscriptionServiceStub(channel).CreateTranscription(
            CreateTranscriptionRequest(transcription=transcription), timeout=DEADLINE_SECONDS
        )
        watching = TranscriptionServiceStub(channel).WatchTranscription(
            WatchTranscriptionRequest(name=job.name), timeout=DEADLINE_SECONDS
        )
        assert next(watching).sequence == 1
        created = UploadServiceStub(channel).CreateUpload(CreateUploadRequest(), timeout=DEADLINE_SECONDS)

        def stopped() -> Iterator[WriteUploadRequest]:
            yield from messages(created.name, long_recording[: 3 * PART_BYTES], finish=False)
            service.signal(SIGTERM)
            with pytest.raises(grpc.RpcError) as caught:
                next(watching)
            assert _reason(caught.value) == "SHUTTING_DOWN"

        with pytest.raises(grpc.RpcError) as caught:
            UploadServiceStub(channel).WriteUpload(stopped(), timeout=DEADLINE_SECONDS)
        assert _reason(caught.value) == "SHUTTING_DOWN"
    assert service.wait() == 0
    with _channel(start()) as channel:
        uploads = UploadServiceStub(channel)
        upload = uploads.GetUpload(GetUploadRequest(name=created.name), timeout=DEADLINE_SECONDS)
        assert upload.state == Upload.STATE_OPEN
        rest = messages(created.name, long_recording[upload.committed_size :], offset=upload.committed_size)
        upload = uploads.WriteUpload(iter(rest), timeout=DEADLINE_SECONDS)
        assert upload.sha256 == hashlib.sha256(long_recording).hexdigest()


def test_reflection_names_the_services_and_metrics_count(start: Start, speech: bytes) -> None:
    """Reflection lists the services, and metrics count calls, bytes and jobs."""
    service = start()
    with _channel(service) as channel:
        names = ProtoReflectionDescriptorDatabase(channel).get_services()
        assert {"tiro.transcription.v1.UploadService", "tiro.transcription.v1.TranscriptionService"} <= set(names)
        transcription = Transcription(content=speech, config=FAKE)
        request = CreateTranscriptionRequest(transcription=transcription)
        TranscriptionServiceStub(channel).CreateTranscription(request, timeout=DEADLINE_SECONDS)
    address = service.wait_for("metrics_listening")["address"]
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
        metrics = answer.read().decode()
    assert f"tiro_ingest_uploaded_bytes_total {float(len(speech))}" in metrics
    assert 'tiro_ingest_jobs_created_total{engine="fake",model="markers"} 1.0' in metrics
    assert 'tiro_grpc_calls_total{code="OK",method="CreateTranscription",reason=""} 1.0' in metrics


def test_the_log_has_ids_and_no_content(start: Start, speech: bytes) -> None:
    """Log lines about a job have tenant, job and upload. No line has a display name or a hotword."""
    service = start()
    with _channel(service) as channel:
        transcription = Transcription(
            content=speech, display_name="Top secret", config=RecognitionConfig(engine="faster-whisper")
        )
        transcription.config.hotwords.append("Codename")
        request = CreateTranscriptionRequest(transcription=transcription)
        job = TranscriptionServiceStub(channel).CreateTranscription(request, timeout=DEADLINE_SECONDS)
    line = service.wait_for("job_accepted")
    assert (line["tenant"], line["job"]) == ("default", job.name.removeprefix("transcriptions/"))
    assert line["upload"] == job.upload.removeprefix("uploads/")
    assert "secret" not in json.dumps(service.log)
    assert "Codename" not in json.dumps(service.log)


def test_help_describes_the_settings() -> None:
    """--help lists settings with their descriptions."""
    shown = subprocess.run([sys.executable, "-m", MODULE, "--help"], capture_output=True, text=True, check=True)
    assert "--upload-bytes-max" in shown.stdout
    assert "The largest recording accepted" in shown.stdout
