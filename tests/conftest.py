"""What every test has: a real NATS server, a connection to it, a tenant of its own, and a watch over what it leaves."""

import asyncio
import logging
import secrets
import signal
from collections.abc import AsyncIterator, Iterator

import psutil
import pytest
import structlog

from tests.support.nats import NatsServer, running_nats
from tests.support.s3 import ACCESS_KEY, SECRET_KEY, S3Server, running_s3
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.topology import ensure_streams
from tiro_core.settings import CoreSettings

TASK_END_SECONDS = 2.0
"""How long a task that is on its way out may take to be gone."""
PROCESS_END_SECONDS = 2.0
"""How long a process that was told to end may take to be gone."""


def pytest_configure() -> None:
    """Have Ctrl-C mean what it usually does: a shell's background job, and all that it starts, would ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def leaves_logging_alone() -> Iterator[None]:
    """Put logging back as it was: a test may run a program's start in this process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """The NATS server of the test session. A test that stops one uses `running_nats` for its own."""
    with running_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture(scope="session")
def s3_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The S3 server of the test session. A test that stops one uses `running_s3` for its own."""
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3_server(s3_process: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The same, with its credentials in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    return s3_process


@pytest.fixture
def core_settings(nats_server: NatsServer) -> CoreSettings:
    """Settings that lead to the session's NATS server."""
    return CoreSettings.model_validate({"nats_url": nats_server.url, "nats_monitor_url": nats_server.monitor_url})


@pytest.fixture
async def bus(core_settings: CoreSettings) -> AsyncIterator[Bus]:
    """A connection of the test's own, with every stream there."""
    async with open_bus(core_settings, "test") as connection:
        await ensure_streams(connection.jetstream, replicas=1)
        yield connection


@pytest.fixture
def tenant() -> str:
    """A tenant that no other test has: tests share a server and do not meet."""
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture(autouse=True)
async def leaves_no_tasks() -> AsyncIterator[None]:
    """Fail a test that leaves an asyncio task behind. Set up first, so that it looks last."""
    yield
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    # grpc.aio ends its own tasks a moment after the call or channel that they belong to.
    _, left = await asyncio.wait(others, timeout=TASK_END_SECONDS) if others else (set(), set())
    for task in left:
        task.cancel()
    assert not left, f"the test left tasks: {left}"


@pytest.fixture(autouse=True)
def leaves_no_processes() -> Iterator[None]:
    """Fail a test that leaves a child process behind."""
    before = set(psutil.Process().children(recursive=True))
    yield
    started = [child for child in psutil.Process().children(recursive=True) if child not in before]
    # One that was killed a moment ago may still be on its way out; one that nobody told to end is not.
    _, left = psutil.wait_procs(started, timeout=PROCESS_END_SECONDS)
    names = [f"{child.pid} {child.name()}" for child in left]
    for child in left:
        child.kill()
    assert not left, f"the test left processes: {names}"
