"""Settings that cannot work end a service in one line, before NATS is asked.

The services run within the test's process: they end before they connect to anything or configure the log.
"""

import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import pytest

from tests.support.stack import READY

Start = Callable[..., "Ended"]


@dataclass(frozen=True)
class Ended:
    """The end of a service."""

    code: int
    out: str
    err: str

    @property
    def refusal(self) -> str:
        """The one line with which it refused its settings."""
        assert (self.code, self.out) == (2, "")
        (line,) = self.err.splitlines()
        return line


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Start:
    """Starts a service that ends by itself: `start(name, *arguments, **variables)`."""

    def start(name: str, *arguments: str, **settings: str) -> Ended:
        with monkeypatch.context() as patch:
            for variable in [variable for variable in os.environ if variable.startswith("TIRO_")]:
                patch.delenv(variable)
            for variable, value in settings.items():
                patch.setenv(variable, value)
            patch.setattr(sys, "argv", [f"tiro-{name}", *arguments])
            with pytest.raises(SystemExit) as caught:
                importlib.import_module(f"tiro_{name}.__main__").main()
        assert isinstance(caught.value.code, int)
        return Ended(caught.value.code, *capsys.readouterr())

    return start


@pytest.mark.parametrize("name", READY)
def test_valid_settings_are_checked_without_nats(name: str, start: Start) -> None:
    """`--check` exits with 0 and a sentence."""
    assert start(name, "--check") == Ended(0, f"{name}: the settings are valid\n", "")


@pytest.mark.parametrize("name", READY)
def test_the_version(name: str, start: Start) -> None:
    """`--version` prints the name and the version, whatever the settings are."""
    done = start(name, "--version", TIRO_CONFIG="/nowhere/tiro.toml")
    assert done.code == 0
    assert done.out.startswith(f"tiro-{name} 0.")


@pytest.mark.parametrize("name", READY)
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        ("nats_url = ", "is not a TOML file"),
        ('nats_urll = "nats://127.0.0.1:4222"', "unknown settings: 'nats_urll' (did you mean 'nats_url'?)"),
        ('TIRO_NATS_URL = "nats://127.0.0.1:4222"', "did you mean 'nats_url'?"),
        ("[ingest]\ncalls_max = 3", "unknown settings: 'ingest'"),
        ("grace_seconds = 0", "grace_seconds"),
    ],
)
def test_a_settings_file_that_cannot_be_used(
    name: str, content: str | None, why: str, tmp_path: Path, start: Start
) -> None:
    """A file that is missing, broken, or has unknown keys or wrong values is refused with the reason."""
    file = tmp_path / "tiro.toml"
    if content is not None:
        file.write_text(content)
    assert why in start(name, TIRO_CONFIG=str(file)).refusal
    assert why in start(name, "--check", TIRO_CONFIG=str(file)).refusal


@pytest.mark.parametrize("name", READY)
def test_a_settings_file_of_all_services(name: str, tmp_path: Path, start: Start) -> None:
    """Services may share a file: each accepts the settings of the others."""
    file = tmp_path / "tiro.toml"
    file.write_text('calls_max = 3\njobs_waiting_max = 3\nwatchers_max = 3\nmodel = "base"\n')
    assert start(name, "--check", TIRO_CONFIG=str(file)).code == 0


@pytest.mark.parametrize("name", ["ingest", "streamer"])
def test_settings_of_a_server(name: str, tmp_path: Path, start: Start) -> None:
    """TLS files, the catalogue, the routing and the default model are read before NATS is asked."""
    certificate = {"TIRO_TLS_CERTIFICATE": "/nowhere/tls.crt", "TIRO_TLS_KEY": "/nowhere/tls.key"}
    assert "tls_certificate: cannot read /nowhere/tls.crt" in start(name, **certificate).refusal
    broken = tmp_path / "tls.pem"
    broken.write_text("no PEM")
    pair = {"TIRO_TLS_CERTIFICATE": str(broken), "TIRO_TLS_KEY": str(broken)}
    assert f"{broken} cannot be used for TLS" in start(name, **pair).refusal
    assert "both a certificate and its key" in start(name, TIRO_TLS_KEY=str(broken)).refusal
    assert "default_model: unknown model 'nope'; known: tiny" in start(name, TIRO_DEFAULT_MODEL="nope").refusal
    assert "routing: cannot read /nowhere" in start(name, TIRO_ROUTING="/nowhere").refusal
    assert "catalogue" in start(name, TIRO_CATALOGUE=str(broken)).refusal
    assert "host:port" in start(name, **{f"TIRO_{name.upper()}_ADDRESS": "nonsense"}).refusal
    public = {f"TIRO_{name.upper()}_ADDRESS": "0.0.0.0:0", "TIRO_AUTH": "off"}
    assert "only allowed on loopback" in start(name, **public).refusal


@pytest.mark.parametrize("name", READY)
def test_addresses_and_files_of_every_service(name: str, start: Start) -> None:
    """A URL of another form is refused without its value, which may hold a password."""
    line = start(name, TIRO_NATS_URL="nats://tiro:secret@host:port").refusal
    assert "nats_url" in line
    assert "secret" not in line
    assert "nats_monitor_url" in start(name, TIRO_NATS_MONITOR_URL="127.0.0.1:8222").refusal
    assert "nats_credentials: cannot read /nowhere" in start(name, TIRO_NATS_CREDENTIALS="/nowhere").refusal


@pytest.mark.parametrize("name", ["ingest", "transcriber"])
def test_a_spool_folder_that_is_not_there(name: str, start: Start) -> None:
    """A missing folder is found at the start, not with the first recording."""
    assert "spool_dir: /nowhere is not a folder" in start(name, TIRO_SPOOL_DIR="/nowhere").refusal


def test_settings_of_a_transcriber(start: Start) -> None:
    """The engine, the model and the device are checked before NATS is asked."""
    assert "no engine 'none'" in start("transcriber", TIRO_ENGINE="none").refusal
    assert "unknown model 'none'" in start("transcriber", TIRO_MODEL="none").refusal
    assert "device: 'tpu' is not one of auto, cpu, cuda" in start("transcriber", TIRO_DEVICE="tpu").refusal
    if not ctranslate2.get_cuda_device_count():
        assert "needs an NVIDIA GPU" in start("transcriber", TIRO_DEVICE="cuda").refusal
