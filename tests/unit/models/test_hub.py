"""The hub as a source: resuming, refusing, and giving up in seconds."""

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
    """Fill the folder from the hub at an address and return what was reported."""

    def run(url: str) -> list[Progress]:
        reports: list[Progress] = []
        HubSource(url).fill(model, staging, reports.append)
        return reports

    return run


def test_every_file_is_fetched(hub: FakeHub, staging: Staging, fill: Fill) -> None:
    """All files arrive, and the progress of each ends at its size."""
    reports = fill(hub.url)
    assert not staging.missing
    for name, data in FILES.items():
        assert (staging.folder / name).read_bytes() == data
        assert max(report.done_bytes for report in reports if report.item == name) == len(data)


def test_a_broken_connection_is_resumed(hub: FakeHub, staging: Staging, fill: Fill) -> None:
    """After a break the next request asks for the rest only."""
    hub.breaks["model.bin"] = 2_500_000
    fill(hub.url)
    assert not staging.missing
    first, second = (ranges for name, ranges in hub.ranges if name == "model.bin")
    assert first == "bytes=0-"
    assert second in {"bytes=2097152-", "bytes=2500000-"}  # whole chunks may be all that arrived


def test_the_next_attempt_goes_on(hub: FakeHub, staging: Staging, fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    """When attempts are used up the source fails, keeps what came, and goes on from there when asked again."""
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
    """A hub that gives other bytes than the catalogue's has failed, and its bytes are gone."""
    hub.files["model.bin"] = bytes(len(FILES["model.bin"]))
    with pytest.raises(SourceFailed, match=r"model\.bin has SHA-256 .* the catalogue says"):
        fill(hub.url)
    assert [path.name for path in staging.folder.iterdir()] == ["config.json"]


def test_a_refusal_is_told(hub: FakeHub, fill: Fill) -> None:
    """The hub's own answer is in the reason."""
    del hub.files["model.bin"]
    with pytest.raises(SourceFailed, match="404"):
        fill(hub.url)


def test_a_closed_port_fails_at_once(fill: Fill) -> None:
    """Where nobody listens the next source is tried without waiting."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(SourceFailed, match="ConnectError"):
            fill(f"http://127.0.0.1:{taken.getsockname()[1]}")


def test_a_silent_hub_is_given_up(fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that takes packets and answers none costs the named limit, not the library's minutes."""
    monkeypatch.setattr(hub_module, "REACH_SECONDS_MAX", 0.2)
    monkeypatch.setattr(hub_module, "CONNECT_SECONDS_MAX", 1.0)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(SourceFailed, match=r"no answer within 0\.2 s"),
    ):
        fill(f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_a_stalled_download_is_given_up(hub: FakeHub, fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that stops in the middle of a file does not hold the worker for ever."""
    monkeypatch.setattr(hub_module, "STALL_SECONDS_MAX", 0.2)
    monkeypatch.setattr(hub_module, "ATTEMPTS_MAX", 1)
    hub.holds["model.bin"] = 1000
    with pytest.raises(SourceFailed, match="ReadTimeout"):
        fill(hub.url)


def test_offline_mode_is_honoured(hub: FakeHub, fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    """With HF_HUB_OFFLINE the hub is not asked."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SourceFailed, match="HF_HUB_OFFLINE"):
        fill(hub.url)
    assert not hub.ranges
