"""Fixtures of every test: a real NATS server, a connection to it, a tenant, and checks that nothing is left running."""

import asyncio
import logging
import secrets
import signal
import threading
from collections.abc import AsyncIterator, Iterator

import hypothesis
import psutil
import pytest
import structlog
from _pytest.nodeid import NodeId

from tests.support.nats import NatsServer, running_nats
from tests.support.s3 import ACCESS_KEY, SECRET_KEY, S3Server, running_s3
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.topology import ensure_streams
from tiro_core.settings import CoreSettings

TASK_END_SECONDS = 2.0
"""How long a task that is ending may take."""
PROCESS_END_SECONDS = 2.0
"""How long a process that got a signal to end may take."""
THREAD_END_SECONDS = 2.0
"""How long a thread that is ending may take."""


def pytest_configure() -> None:
    """Set up the process that runs tests: what Ctrl-C means, and Hypothesis without limits on time."""
    # A shell's background job, and all that it starts, would ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # The time of an example depends on how busy the machine is.
    hypothesis.settings.register_profile("tiro", deadline=None)
    hypothesis.settings.load_profile("tiro")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of an `xdist_group` in one process, where they share a fixture of a wider scope.

    pytest-xdist 3.8 writes the group where pytest 9.2 does not read it: github.com/pytest-dev/pytest-xdist/issues/1386.
    """
    if not config.getoption("loadgroup", default=False):
        return
    for item in items:
        if mark := item.get_closest_marker("xdist_group"):
            suffix = f"@{mark.args[0]}"
            if not item.nodeid.endswith(suffix):
                item._id = NodeId.parse(item.nodeid + suffix)
            assert item.nodeid.endswith(suffix), "this pytest does not read the group there either"


@pytest.fixture(autouse=True)
def leaves_logging_alone() -> Iterator[None]:
    """Restore logging: a test may run a program's start in this process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """The NATS server of this process's tests. A test that stops one uses `running_nats` for its own."""
    with running_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture(scope="session")
def s3_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The S3 server of this process's tests. A test that stops one uses `running_s3` for its own."""
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3_server(s3_process: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The S3 server of this process's tests, with its credentials in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    return s3_process


@pytest.fixture
def core_settings(nats_server: NatsServer) -> CoreSettings:
    """Settings that lead to this process's NATS server."""
    return CoreSettings.model_validate({"nats_url": nats_server.url, "nats_monitor_url": nats_server.monitor_url})


@pytest.fixture
async def bus(core_settings: CoreSettings) -> AsyncIterator[Bus]:
    """A NATS connection of the test's own. All streams exist."""
    async with open_bus(core_settings, "test") as connection:
        await ensure_streams(connection, replicas=1)
        yield connection


@pytest.fixture
def tenant() -> str:
    """A tenant that no other test has: tests share a server, not data."""
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture(autouse=True)
def leaves_no_threads() -> Iterator[None]:
    """Fail a test that leaves a thread behind which would keep a process from ending."""
    before = set(threading.enumerate())
    yield
    started = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
    for thread in started:
        thread.join(THREAD_END_SECONDS)
    left = [thread for thread in started if thread.is_alive()]
    assert not left, f"the test left threads: {left}"


@pytest.fixture(autouse=True)
async def leaves_no_tasks(leaves_no_threads: None) -> AsyncIterator[None]:
    """Fail a test that leaves an asyncio task behind. Set up first, so that it checks last.

    Threads are checked after tasks: those of the event loop end with the loop.
    """
    yield
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    # grpc.aio ends its own tasks a moment after the call or channel that they belong to.
    _, left = await asyncio.wait(others, timeout=TASK_END_SECONDS) if others else (set(), set())
    for task in left:
        task.cancel()
    assert not left, f"the test left tasks: {left}"


@pytest.fixture
def kept_processes() -> list[int]:
    """Ids of processes that the test started and may leave. A fixture that repairs a shared stack adds to them."""
    return []


@pytest.fixture(autouse=True)
def leaves_no_processes(kept_processes: list[int]) -> Iterator[None]:
    """Fail a test that leaves a child process behind."""
    before = set(psutil.Process().children(recursive=True))
    yield
    for process in map(psutil.Process, kept_processes):
        before |= {process, *process.children(recursive=True)}
    started = [child for child in psutil.Process().children(recursive=True) if child not in before]
    # A process that was killed a moment ago may still be exiting; one that got no signal keeps running.
    _, left = psutil.wait_procs(started, timeout=PROCESS_END_SECONDS)
    names = [f"{child.pid} {child.name()}" for child in left]
    for child in left:
        child.kill()
    assert not left, f"the test left processes: {names}"
