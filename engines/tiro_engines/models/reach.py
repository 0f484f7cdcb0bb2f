"""A time limit for a blocking call.

The HTTP library's time-out is per address and does not include the name look-up, so a network that drops packets could
block a call for minutes.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from tiro_engines.models.source import SourceFailed

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """Make a call in a new thread, and wait for it. After the time limit the thread ends by itself later.

    Raises:
        SourceFailed: There was no answer within this time.
        Exception: The call's own exception.
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
        if answer.done():  # the time-out is the call's own exception
            raise
        raise SourceFailed(f"no answer within {seconds:g} s") from error
