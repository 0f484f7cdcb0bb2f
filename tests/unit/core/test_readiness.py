"""The readiness of a service from its checks."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from tiro_core.server.readiness import FAILURES_MIN, SUCCESSES_MIN, CheckFailed, Readiness

WAIT_SECONDS_MAX = 10.0


class Scripted:
    """A check whose results a test sets one by one: None, or an exception that it raises."""

    def __init__(self) -> None:
        self._answers: asyncio.Queue[Exception | None] = asyncio.Queue()
        self._idle = asyncio.Event()

    async def __call__(self) -> None:
        """Wait for the next result."""
        if self._answers.empty():
            self._idle.set()
        answer = await self._answers.get()
        if answer is not None:
            raise answer

    async def answer(self, *answers: Exception | None) -> None:
        """Set these results, and return once they are processed and the check waits for the next one."""
        for answer in answers:
            self._idle.clear()
            self._answers.put_nowait(answer)
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                await self._idle.wait()


class Rig:
    """A readiness with two scripted checks, and its reports."""

    def __init__(self) -> None:
        self.readiness = Readiness()
        self.one, self.other = Scripted(), Scripted()
        self.readiness.add("one", self.one, every_seconds=0, limit_seconds=WAIT_SECONDS_MAX)
        self.readiness.add("other", self.other, every_seconds=0, limit_seconds=WAIT_SECONDS_MAX)
        self.reported: list[bool] = []

    async def report(self, ready: bool) -> None:
        """Record a report."""
        self.reported.append(ready)

    async def begin(self) -> None:
        """Let both checks pass for the first time."""
        for check in (self.one, self.other):
            await check.answer(None)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A running readiness."""
    rig = Rig()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(rig.readiness.run(rig.report))
        yield rig
        running.cancel()


async def test_ready_once_every_check_has_passed(rig: Rig) -> None:
    """Readiness is reported once each check has passed, for the first time a single pass is enough."""
    await rig.one.answer(None)
    assert rig.reported == []
    assert not rig.readiness.answered.is_set()
    await rig.other.answer(None)
    assert rig.reported == [True]
    assert rig.readiness.answered.is_set()


async def test_a_check_that_fails_from_the_start(rig: Rig) -> None:
    """A failed first check is logged with its reason. The service is ready after `SUCCESSES_MIN` passes."""
    with capture_logs() as logs:
        await rig.other.answer(None)
        await rig.one.answer(CheckFailed("the stream is gone"))
        assert rig.readiness.answered.is_set()
        assert rig.reported == []
        await rig.one.answer(*[None] * SUCCESSES_MIN)
        assert rig.reported == [True]
    assert [(line["event"], line.get("reasons") or line.get("after")) for line in logs] == [
        ("not_ready", {"one": "the stream is gone"}),
        ("ready_again", {"one": "the stream is gone"}),
    ]


async def test_a_flapping_check_changes_nothing(rig: Rig) -> None:
    """Runs of fewer than `FAILURES_MIN` failures do not change readiness."""
    await rig.begin()
    for _ in range(5):
        await rig.one.answer(*[CheckFailed("away")] * (FAILURES_MIN - 1), None)
    assert rig.reported == [True]


async def test_not_ready_and_ready_again(rig: Rig) -> None:
    """`FAILURES_MIN` failures in a row make a service not ready, `SUCCESSES_MIN` passes in a row ready again."""
    await rig.begin()
    await rig.one.answer(*[CheckFailed("away")] * FAILURES_MIN)
    assert rig.reported == [True, False]
    await rig.one.answer(*[None] * (SUCCESSES_MIN - 1), CheckFailed("away"), *[None] * (SUCCESSES_MIN - 1))
    assert rig.reported == [True, False]
    await rig.one.answer(None)
    assert rig.reported == [True, False, True]


async def test_a_reason_that_changes_is_logged(rig: Rig) -> None:
    """A failure is logged once for each change of reasons."""
    await rig.begin()
    with capture_logs() as logs:
        await rig.one.answer(*[CheckFailed("away")] * (FAILURES_MIN + 3))
        await rig.one.answer(*[CheckFailed("full")] * 3)
        await rig.other.answer(*[ConnectionResetError("reset")] * FAILURES_MIN)
    assert [line["reasons"] for line in logs if line["event"] == "not_ready"] == [
        {"one": "away"},
        {"one": "full"},
        {"one": "full", "other": "ConnectionResetError: reset"},
    ]


async def test_a_check_that_does_not_answer_fails() -> None:
    """A check without a result within its limit fails."""
    readiness = Readiness()
    never = asyncio.Event()

    async def silent() -> None:
        await never.wait()

    async def report(_ready: bool) -> None:
        raise AssertionError("it is not ready")

    readiness.add("silent", silent, every_seconds=0, limit_seconds=0.01)
    async with asyncio.timeout(WAIT_SECONDS_MAX), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(readiness.run(report))
        await readiness.answered.wait()
        running.cancel()
    assert readiness.reasons == {"silent": "no answer within 0.01 s"}
