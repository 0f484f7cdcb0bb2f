"""The start of services with missing dependencies or wrong settings: real processes."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.ports import free_port
from deploy.local.stack import is_serving
from tests.e2e.conftest import environment
from tests.support.nats import NatsServer, running_nats
from tests.support.processes import ServiceProcess, running
from tests.support.stack import READY

SECONDS_MAX = 60


@pytest.mark.parametrize("name", READY)
def test_a_service_waits_for_nats(name: str, tmp_path: Path) -> None:
    """A service waits for NATS and logs that. It becomes ready once NATS runs, and creates the streams."""
    with running_nats(tmp_path) as nats:
        nats.stop()
        service = ServiceProcess(f"tiro_{name}", environment(nats))
        try:
            service.start()
            service.wait_for("nats_disconnected")
            assert READY[name] not in [line["event"] for line in service.log]
            nats.start()
            service.wait_for(READY[name])
            assert service.stop() == 0
        finally:
            service.close()


@pytest.mark.parametrize("name", READY)
def test_a_service_that_waits_for_nats_can_be_stopped(name: str, tmp_path: Path) -> None:
    """SIGTERM ends a service that waits for NATS, with status 0."""
    with running_nats(tmp_path) as nats:
        nats.stop()
        with running(f"tiro_{name}", environment(nats), ready="nats_disconnected") as service:
            assert service.stop() == 0


@pytest.mark.parametrize("name", READY)
def test_a_server_that_may_lose_jobs_is_refused(name: str, tmp_path: Path) -> None:
    """A server that does not flush before it acknowledges: status 3, and the setting that is needed."""
    with running_nats(tmp_path, sync_interval="2m") as nats:
        done = subprocess.run(
            [sys.executable, "-m", f"tiro_{name}"],
            env={**os.environ, **environment(nats)},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
    assert done.returncode == 3
    assert "sync_interval: always" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_client_port_for_the_monitoring_port(nats_server: NatsServer) -> None:
    """Status 3 and one line, which names the setting."""
    address = nats_server.url.replace("nats://", "http://")
    done = subprocess.run(
        [sys.executable, "-m", "tiro_ingest"],
        env={**os.environ, **environment(nats_server, TIRO_NATS_MONITOR_URL=address)},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 3
    assert f"{address} (TIRO_NATS_MONITOR_URL) does not answer" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", READY)
def test_replicas_that_a_single_server_cannot_have(name: str, nats_server: NatsServer) -> None:
    """A stream that NATS refuses ends a service with the server's message and status 2."""
    assert "replicas > 1 not supported in non-clustered mode" in refused(
        name, **environment(nats_server, TIRO_NATS_REPLICAS="3")
    )


@pytest.mark.parametrize("name", READY)
def test_an_invalid_setting_is_named(name: str) -> None:
    """An invalid value ends a service with status 2, and its setting is named."""
    assert "grace_seconds" in refused(name, TIRO_GRACE_SECONDS="soon")


@pytest.mark.parametrize("name", READY)
def test_a_missing_settings_file_is_an_error(name: str) -> None:
    """A missing file is status 2 and one line: defaults are not used if, say, a volume is not mounted."""
    line = f"{name}: cannot read /nowhere/tiro.toml (TIRO_CONFIG): No such file or directory\n"
    assert refused(name, TIRO_CONFIG="/nowhere/tiro.toml") == line


def refused(name: str, **settings: str) -> str:
    """The output of a service that ends with status 2 because of its settings."""
    done = subprocess.run(
        [sys.executable, "-m", f"tiro_{name}"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_settings_that_fail_at_the_start(nats_server: NatsServer) -> None:
    """Errors that only occur when a service starts are one line and status 2, too."""
    usual = environment(nats_server)
    assert "loopback" in refused("ingest", **{**usual, "TIRO_INGEST_ADDRESS": "0.0.0.0:0"})
    assert "host:port" in refused("streamer", **{**usual, "TIRO_STREAMER_ADDRESS": "nonsense"})
    assert "no engine 'none'" in refused("transcriber", **{**usual, "TIRO_ENGINE": "none"})
    assert "unknown model 'none'" in refused("transcriber", **{**usual, "TIRO_MODEL": "none"})
    busy = nats_server.url.removeprefix("nats://")
    assert "cannot listen" in refused("ingest", **{**usual, "TIRO_INGEST_ADDRESS": busy})
    assert "metrics" in refused("streamer", **{**usual, "TIRO_STREAMER_METRICS_ADDRESS": busy})
    files = {"TIRO_TLS_CERTIFICATE": "/nowhere/tls.crt", "TIRO_TLS_KEY": "/nowhere/tls.key"}
    assert "cannot read /nowhere/tls.crt" in refused("ingest", **{**usual, **files})


@pytest.mark.parametrize("name", READY)
def test_help(name: str) -> None:
    """--help lists settings of the service and of the core."""
    command = [sys.executable, "-m", f"tiro_{name}", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=True)
    assert "--nats-url" in done.stdout
    assert "--grace-seconds" in done.stdout


async def test_a_model_that_cannot_be_loaded(nats_server: NatsServer, tmp_path: Path) -> None:
    """The transcriber logs which sources failed and why, is not ready, and keeps running to try again."""
    port = free_port()
    settings = environment(
        nats_server,
        TIRO_ENGINE="faster-whisper",
        TIRO_MODEL="tiny.en",
        TIRO_MODELS_DIR=str(tmp_path / "models"),
        TIRO_TRANSCRIBER_HEALTH_ADDRESS=f"127.0.0.1:{port}",
        HF_HUB_OFFLINE="1",
        PIP_NO_INDEX="1",
    )
    service = ServiceProcess("tiro_transcriber", settings)
    try:
        service.start()
        line = await asyncio.to_thread(service.wait_for, "model_unavailable")
        assert "hub" in line["reason"]
        assert "no-index" in line["reason"]
        assert not await asyncio.to_thread(is_serving, f"127.0.0.1:{port}")
        assert await asyncio.to_thread(service.stop) == 0
    finally:
        service.close()
