"""The event loop in a thread of its own, which other threads call."""

import asyncio
import gc
import os
import signal
import threading
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import NoReturn, Self

import pytest

from tiro_client import Client
from tiro_client.sync.loop_thread import LoopThread


class Resource:
    """Records when it is open."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.is_open = False

    async def __aenter__(self) -> Self:
        if self.error is not None:
            raise self.error
        self.is_open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.is_open = False


@pytest.fixture
def resource() -> Resource:
    """A resource that opens."""
    return Resource()


@pytest.fixture
def loop_thread(resource: Resource) -> Iterator[LoopThread]:
    """A loop thread that runs."""
    thread = LoopThread(resource, allow_running_loop=False)
    thread.start()
    yield thread
    thread.close()


async def echo(value: int) -> int:
    """The value, after the loop has turned once."""
    await asyncio.sleep(0)
    return value


async def numbers(closed: threading.Event) -> AsyncGenerator[int, None]:
    """1, 2, 3, ..."""
    try:
        number = 0
        while not closed.is_set():
            number += 1
            yield await echo(number)
    finally:
        closed.set()


class Stuck:
    """A call that ends only when it is cancelled."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.cancelled = threading.Event()

    async def call(self) -> None:
        """The call."""
        try:
            self.begun.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # as a call that tells the service
            self.cancelled.set()


def test_the_resource_is_open_while_the_thread_runs(resource: Resource) -> None:
    """It is opened before the first call, and closed before `close` returns. Closing twice is harmless."""
    thread = LoopThread(resource, allow_running_loop=False)
    assert not resource.is_open
    thread.start()
    opened = resource.is_open
    thread.close()
    assert (opened, resource.is_open) == (True, False)
    thread.close()


def test_what_opening_raises_is_raised() -> None:
    """A file that is missing is reported where the client is opened."""
    with pytest.raises(FileNotFoundError):
        LoopThread(Resource(FileNotFoundError()), allow_running_loop=False).start()


def test_several_threads_call(loop_thread: LoopThread) -> None:
    """Each gets its own result."""
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda value: loop_thread.run(echo(value)), range(200))) == list(range(200))


def test_an_exception_is_raised_in_the_thread_that_called(loop_thread: LoopThread) -> None:
    """With its type and message."""

    async def fail() -> NoReturn:
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        loop_thread.run(fail())


def test_an_iterator_that_is_left_closes_its_source(loop_thread: LoopThread) -> None:
    """`closing` ends the generator in the loop."""
    closed = threading.Event()
    with closing(loop_thread.iterate(numbers(closed))) as items:
        assert [next(items), next(items)] == [1, 2]
    assert closed.is_set()


def test_a_forgotten_iterator_closes_its_source(loop_thread: LoopThread) -> None:
    """The garbage collector may run in the loop's thread, which must not wait for itself."""
    closed = threading.Event()
    items = [loop_thread.iterate(numbers(closed))]
    assert next(items[0]) == 1

    async def forget() -> None:
        items.clear()
        gc.collect()

    loop_thread.run(forget())
    assert closed.wait(5)


def test_an_iterator_after_the_end(resource: Resource) -> None:
    """It is closed with the client, and leaving it afterwards is no error."""
    closed = threading.Event()
    thread = LoopThread(resource, allow_running_loop=False)
    thread.start()
    items = thread.iterate(numbers(closed))
    assert next(items) == 1
    thread.close()
    assert closed.is_set()
    items.close()


def test_closing_ends_the_calls_of_other_threads(resource: Resource) -> None:
    """They are cancelled, and told so."""
    thread, stuck = LoopThread(resource, allow_running_loop=False), Stuck()
    thread.start()
    with ThreadPoolExecutor(1) as pool:
        calling = pool.submit(lambda: thread.run(stuck.call()))
        stuck.begun.wait()
        thread.close()
        with pytest.raises(RuntimeError, match="closed during the call"):
            calling.result()
    assert stuck.cancelled.is_set()


def test_a_closed_thread_refuses(resource: Resource) -> None:
    """A call after the end says what is wrong."""
    thread = LoopThread(resource, allow_running_loop=False)
    thread.start()
    thread.close()
    with pytest.raises(RuntimeError, match="not open"):
        thread.run(echo(1))


def test_an_exception_in_the_waiting_thread_cancels_the_call(loop_thread: LoopThread) -> None:
    """As Ctrl-C raises one in the main thread: the call has ended when it is raised."""
    stuck = Stuck()
    assert threading.current_thread() is threading.main_thread(), "signals reach the main thread"

    def interrupt() -> None:
        stuck.begun.wait()
        os.kill(os.getpid(), signal.SIGINT)

    with ThreadPoolExecutor(1) as pool, pytest.raises(KeyboardInterrupt):
        pool.submit(interrupt)
        loop_thread.run(stuck.call())
    assert stuck.cancelled.is_set()


def test_a_callback_cannot_call(loop_thread: LoopThread) -> None:
    """It would wait for itself."""

    async def call_again() -> None:
        loop_thread.run(echo(1))

    with pytest.raises(RuntimeError, match="a callback"):
        loop_thread.run(call_again())


async def test_a_running_loop_is_not_blocked_by_mistake() -> None:
    """The error names what to use. Another thread may call, and so may this one where it is allowed."""
    with pytest.raises(RuntimeError, match="AsyncClient"), Client("127.0.0.1:1"):
        pass
    with Client("127.0.0.1:1", allow_running_loop=True):
        pass

    def use() -> None:
        with Client("127.0.0.1:1"):
            pass

    await asyncio.to_thread(use)
