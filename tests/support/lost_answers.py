"""Lost answers of NATS: the write is stored, and its writer gets a timeout."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.errors import BadRequestError

from tiro_core.messaging.connection import Bus


async def _nothing() -> None:
    """Do nothing: the default of a hook."""


@contextmanager
def losing_answer(bus: Bus, subject: str, meanwhile: Callable[[], Awaitable[None]] = _nothing) -> Iterator[list[str]]:
    """Lose the answer to the first message that is published on a subject.

    Args:
        bus: The connection whose publishes are affected.
        subject: The subject.
        meanwhile: Runs after the write, before its writer gets the timeout.

    Yields:
        The subjects of the messages that were published, in order.
    """

    async def lose(answer: Any) -> Any:
        await meanwhile()
        raise NatsTimeoutError

    with _first_publish(bus, subject, after=lose) as published:
        yield published


@contextmanager
def refusing_as_under_way(bus: Bus, subject: str) -> Iterator[list[str]]:
    """Refuse the first message on a subject as a cluster does while another write to it is being replicated."""

    async def refuse() -> None:
        raise BadRequestError(code=400, err_code=10164, description="wrong last sequence")

    with _first_publish(bus, subject, before=refuse) as published:
        yield published


@contextmanager
def _first_publish(
    bus: Bus,
    subject: str,
    *,
    before: Callable[[], Awaitable[None]] = _nothing,
    after: Callable[[Any], Awaitable[Any]] | None = None,
) -> Iterator[list[str]]:
    published: list[str] = []
    publish: Callable[..., Awaitable[Any]] = bus.jetstream.publish

    async def faulty(to: str, *arguments: Any, **options: Any) -> Any:
        published.append(to)
        is_first = to == subject and published.count(subject) == 1
        if is_first:
            await before()
        answer = await publish(to, *arguments, **options)
        return await after(answer) if is_first and after else answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bus.jetstream, "publish", faulty)
        yield published
