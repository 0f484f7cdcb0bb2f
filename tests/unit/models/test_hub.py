"""The hub as a source: resumed downloads, wrong bytes, and timeouts."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tiro_engines.catalogue import Model
from tiro_engines.models import hub as hub_module
from tiro_engines.models.hub import HubSource
from tiro_engines.models.source import Progress, SourceFailed
from tiro_engines.models.staging import Staging

from .conftest import FILES, FakeHub

Fill = Callable[[str], list[Progress]]


@pytest.fixture
def staging(tmp_path: Path, model: Model) -> Staging:
    """An empty staging folder."""
    staging = Staging(tmp_path / "thing.partial", model)
    staging.open()
    return staging


@pytest.fixture
def fill(staging: Staging, model: Model) -> Fill:
    """A function that fills the folder from the hub at a URL, and returns the reported progress."""

    def run(url: str) -> list[Progress]:
        reports: list[Progress] = []
        HubSource(url).fill(model, staging, reports.append)
        return reports

    return run


def test_every_file_is_fetched(hub: FakeHub, staging: Staging, fill: Fill) -> None:
    """All files are fetched, and the progress of each ends at its size."""
    reports = fill(hub.url)
    assert not staging.missing
    for name, data in FILES.items():
        assert (staging.folder / name).read_bytes() == data
        assert max(report.done_bytes for report in reports if report.item == name) == len(data)


def test_a_broken_connection_is_resumed(hub: FakeHub, staging: Staging, fill: Fill) -> None:
    """The request after a broken connection is for the rest of the file only."""
    hub.breaks["model.bin"] = 2_500_000
    fill(hub.url)
    assert not staging.missing
    first, second = (ranges for name, ranges in hub.ranges if name == "model.bin")
    assert first == "bytes=0-"
    assert second in {"bytes=2097152-", "bytes=2500000-"}  # the library may keep whole chunks only


def test_a_later_fill_resumes(hub: FakeHub, staging: Staging, fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its last attempt the source fails and keeps its bytes. The next fill continues from there."""
    monkeypatch.setattr(hub_module, "ATTEMPTS_MAX", 1)
    hub.breaks["model.bin"] = 2_500_000
    with pytest.raises(SourceFailed, match="RemoteProtocolError"):
        fill(hub.url)
    assert [file.name for file in staging.missing] == ["model.bin"]
    fill(hub.url)
    assert not staging.missing
    assert [name for name, _ in hub.ranges] == ["config.json", "model.bin", "model.bin"]
    assert hub.ranges[-1][1] != "bytes=0-"


def test_other_bytes_are_refused(hub: FakeHub, staging: Staging, fill: Fill) -> None:
    """Bytes with another digest than the catalogue's fail the source, and are removed."""
    hub.files["model.bin"] = bytes(len(FILES["model.bin"]))
    with pytest.raises(SourceFailed, match=r"model\.bin has SHA-256 .* the catalogue says"):
        fill(hub.url)
    assert [path.name for path in staging.folder.iterdir()] == ["config.json"]


def test_a_refusal_of_the_hub_is_in_the_reason(hub: FakeHub, fill: Fill) -> None:
    """The hub's status code is in the reason of the failure."""
    del hub.files["model.bin"]
    with pytest.raises(SourceFailed, match="404"):
        fill(hub.url)


def test_a_closed_port_fails_at_once(fill: Fill) -> None:
    """A refused connection fails the source without a wait."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(SourceFailed, match="ConnectError"):
            fill(f"http://127.0.0.1:{taken.getsockname()[1]}")


def test_a_silent_hub_is_given_up(fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that does not answer fails the source after `REACH_SECONDS_MAX`."""
    monkeypatch.setattr(hub_module, "REACH_SECONDS_MAX", 0.2)
    monkeypatch.setattr(hub_module, "CONNECT_SECONDS_MAX", 1.0)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(SourceFailed, match=r"no answer within 0\.2 s"),
    ):
        fill(f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_a_stalled_download_is_given_up(hub: FakeHub, fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download without progress fails the source after `STALL_SECONDS_MAX`."""
    monkeypatch.setattr(hub_module, "STALL_SECONDS_MAX", 0.2)
    monkeypatch.setattr(hub_module, "ATTEMPTS_MAX", 1)
    hub.holds["model.bin"] = 1000
    with pytest.raises(SourceFailed, match="ReadTimeout"):
        fill(hub.url)


def test_offline_mode_is_honoured(hub: FakeHub, fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    """With HF_HUB_OFFLINE no request is sent to the hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SourceFailed, match="HF_HUB_OFFLINE"):
        fill(hub.url)
    assert not hub.ranges
