"""`make run`, `make status` and `make reset` on one machine: real processes, on ports and in folders of their own."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from deploy.local.port_owners import NATS, OTHER, TIRO, owner_of
from deploy.local.ports import Ports, is_taken, suggested_block
from deploy.local.stack import NotReady, environment, locked, running_stack, wait_ready
from deploy.local.supervision import processes_in
from tests.support.nats import NatsServer

READY_SECONDS_MAX = 120.0
TOLD_SECONDS_MAX = 30.0
"""How long a refused start may take here, with the start of Python on a busy machine."""


pytestmark = pytest.mark.xdist_group("local-deployment")


def free_block() -> Ports:
    """Consecutive ports that are free, below those that the system gives to other programs."""
    while True:
        ports = Ports.block(random.randrange(20_000, 32_000, 10))  # noqa: S311 - no secret
        if not ports.taken():
            return ports


def test_the_suggested_ports_are_free() -> None:
    """Another start can use them."""
    ports = suggested_block()
    assert ports is not None
    assert ports.taken() == {}


def local(command: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command of the local deployment, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", f"deploy.local.{command}", *arguments],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=READY_SECONDS_MAX,
        check=False,
    )


@contextmanager
def running(folder: Path, ports: Ports) -> Iterator["subprocess.Popen[str]"]:
    """`make run` with the model of the tests, until its welcome is printed. It is stopped at the end."""
    command = [sys.executable, "-m", "deploy.local.run", "--data", str(folder), "--port", str(ports.jobs)]
    process = subprocess.Popen(
        [*command, "--model", "tiny.en"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert process.stdout is not None
        printed = []
        for line in process.stdout:
            printed.append(line)
            if line.startswith("Ctrl-C"):
                break
        else:
            pytest.fail("".join(printed))
        assert f"export TIRO_ADDRESS=127.0.0.1:{ports.jobs}" in "".join(printed)
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=READY_SECONDS_MAX)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Ports]]:
    """The data folder and the ports of a deployment that runs."""
    folder, ports = tmp_path_factory.mktemp("one"), free_block()
    with running(folder, ports):
        yield folder, ports


def test_the_state_is_shown(first: tuple[Path, Ports]) -> None:
    """`make status` has a line for each process, and its model. Without a deployment the exit code is 3."""
    folder, ports = first
    shown = local("status", "--data", str(folder))
    assert (shown.returncode, shown.stderr) == (0, "")
    heading, *lines = shown.stdout.splitlines()
    assert "model tiny.en" in heading
    listening = (("nats", ports.nats), ("ingest", ports.jobs), ("streamer", ports.live))
    for name, port in (*listening, ("transcriber", ports.transcriber)):
        assert any(re.match(rf"  {name} +ready +127.0.0.1:{port} ", line) for line in lines), shown.stdout
    none = local("status", "--data", str(folder / "none"))
    assert (none.returncode, "make run" in none.stdout) == (3, True)


def test_ports_of_another_tiro_are_told(first: tuple[Path, Ports], tmp_path: Path) -> None:
    """Each taken port is named with its owner, and free ports are suggested."""
    _, ports = first
    refused = local("run", "--port", str(ports.jobs), "--data", str(tmp_path / "two"))
    assert refused.returncode == 1
    assert f"port {ports.jobs} (jobs) is taken by {TIRO}" in refused.stderr
    assert f"port {ports.transcriber} (transcriber) is taken by {TIRO}" in refused.stderr
    assert f"port {ports.nats} (nats) is taken by {NATS}" in refused.stderr
    assert re.search(r"make run PORT=\d+", refused.stderr)
    assert "Traceback" not in refused.stderr


def test_a_folder_has_one_deployment(first: tuple[Path, Ports]) -> None:
    """A second start with the same data is refused, and so is a reset while it is used."""
    folder, _ = first
    refused = local("run", "--port", str(free_block().jobs), "--data", str(folder))
    assert (refused.returncode, "another Tiro uses" in refused.stderr) == (1, True)
    kept = local("reset", "--data", str(folder), "--yes")
    assert (kept.returncode, "stop it first" in kept.stderr) == (1, True)


def test_another_deployment_does_not_answer(first: tuple[Path, Ports], tmp_path: Path) -> None:
    """A deployment whose ports are taken after the check does not become ready by the other one's health."""
    _, ports = first
    settings = {**environment(tmp_path, ports), "TIRO_MODEL": "tiny.en"}
    ready: list[str] = []
    with (
        pytest.raises(NotReady, match=r"does not start: .*already in use"),
        running_stack(settings) as one,
    ):
        wait_ready(settings, one, ready.append)
    assert ready == []


def test_two_deployments_side_by_side(first: tuple[Path, Ports], tmp_path: Path) -> None:
    """Each has its own ports, data and processes. A process that dies is started again and reported."""
    folder, _ = first
    other, ports = tmp_path / "data of two", free_block()
    before = processes_in(folder)
    with running(other, ports) as process:
        streamer = processes_in(other)["streamer"]
        assert streamer.pid not in {one.pid for one in before.values()}
        psutil.Process(streamer.pid).kill()
        assert process.stdout is not None
        assert "streamer ended" in process.stdout.readline()
    assert processes_in(other) == {}
    assert {name: one.pid for name, one in processes_in(folder).items()} == {
        name: one.pid for name, one in before.items()
    }
    assert local("reset", "--data", str(other)).returncode == 1  # nobody can be asked
    (other / "of the user").touch()
    assert local("reset", "--data", str(other), "--yes").returncode == 0
    assert [path.name for path in other.iterdir()] == ["of the user"]


def test_owners_of_ports(nats_server: NatsServer) -> None:
    """A NATS server is known by its answers on both ports; a program that says nothing is another program."""
    client = int(nats_server.url.rpartition(":")[2])
    monitor = int(nats_server.monitor_url.rpartition(":")[2])
    assert owner_of(client).startswith(NATS)
    assert owner_of(monitor).startswith(NATS)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        assert is_taken(port)
        assert owner_of(port).startswith(OTHER)


def test_a_taken_port_is_told_before_anything_starts(tmp_path: Path) -> None:
    """One port that another program has is enough, and no data folder is left in use."""
    ports = free_block()
    with closing(socket.create_server(("127.0.0.1", ports.streamer_metrics))):
        begun = time.monotonic()
        refused = local("run", "--port", str(ports.jobs), "--data", str(tmp_path))
    assert time.monotonic() - begun < TOLD_SECONDS_MAX
    assert refused.returncode == 1
    assert f"port {ports.streamer_metrics} (streamer metrics) is taken by {OTHER}" in refused.stderr
    with locked(tmp_path):
        assert not (tmp_path / "nats.log").exists()


def test_a_service_that_refuses_to_start_is_reported(tmp_path: Path) -> None:
    """The last line of its log is told at once, not after two minutes."""
    config = tmp_path / "tiro.toml"
    config.write_text("nats_urll = 1")
    settings = {**environment(tmp_path / "data", Ports.free()), "TIRO_CONFIG": str(config)}
    with (
        pytest.raises(NotReady, match=r"does not start: .*unknown settings: 'nats_urll'"),
        running_stack(settings) as one,
    ):
        wait_ready(settings, one, lambda _: None)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--port", "many"), "a port is a number"),
        (("--port", "65530"), "the first port is between"),
        (("--model", "nope"), "unknown model 'nope'"),
        (("--data", "/" + "x" * 200), "more than"),
        (("--data", "/proc/nowhere"), "cannot use the data folder"),
    ],
)
def test_a_wrong_option_is_explained(arguments: tuple[str, ...], why: str, tmp_path: Path) -> None:
    """One sentence, before anything starts."""
    block = () if "--port" in arguments else ("--port", str(free_block().jobs))
    data = () if "--data" in arguments else ("--data", str(tmp_path / "data"))
    refused = local("run", *block, *data, *arguments)
    assert refused.returncode in {1, 2}
    assert why in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_reset_of_nothing(tmp_path: Path) -> None:
    """A folder in which no deployment ran is left alone."""
    (tmp_path / "nats").mkdir()
    assert "no Tiro has run" in local("reset", "--data", str(tmp_path), "--yes").stdout
    assert (tmp_path / "nats").is_dir()
