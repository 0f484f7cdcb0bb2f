"""Waiting for an answer for a bounded time.

The HTTP library's time-out is per address and leaves the name look-up out, so a network that drops packets could block
a call for minutes.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from tiro_engines.models.source import SourceFailed

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """Make a call on a thread of its own, which ends by itself when it is no longer waited for.

    Raises:
        SourceFailed: There was no answer within this time.
        Exception: What the call raises.
    """
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except Exception as error:  # noqa: BLE001 - the caller gets it
            answer.set_exception(error)

    threading.Thread(target=run, name="reach-model-source", daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError as error:
        if answer.done():  # the call's own
            raise
        raise SourceFailed(f"no answer within {seconds:g} s") from error
