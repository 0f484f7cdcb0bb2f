"""A service that fails in many ways while its frames hold words that no log may contain, for the tests of logs."""

import asyncio
import threading
from typing import NoReturn

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.errors import TiroError, invalid_argument
from tiro_core.logs.logger import get_logger
from tiro_core.server.lifecycle import run_service
from tiro_core.settings import CoreSettings

WORDS = "the patient has diabetes"

log = get_logger()


class _Bad:
    """Something whose finalizer fails."""

    def __del__(self) -> None:
        fail(WORDS)


def fail(segments: str) -> NoReturn:
    """Raise with the words in a local variable and in the message."""
    raise ValueError(f"cannot align {segments!r}")


async def serve(settings: CoreSettings, stopping: asyncio.Event) -> None:
    """Fail in each way that is logged, and at the end exit by an error."""
    loop = asyncio.get_running_loop()
    try:
        fail(WORDS)
    except ValueError as error:
        log.exception("caught")
        log.warning("named", error=error)
        log.warning("connecting", url=settings.nats_url)
        log.warning("grouped", exc_info=ExceptionGroup("parts", [error, KeyError(WORDS)]))
    try:
        raise ConnectionRefusedError(f"cannot reach {settings.nats_url}")
    except OSError:
        log.exception("refused")
    log.warning("explained", error=_explained())
    await _lose_a_task()
    loop.call_soon(fail, WORDS)
    thread = threading.Thread(target=fail, args=(WORDS,))
    thread.start()
    await asyncio.to_thread(thread.join)
    bad = _Bad()
    del bad
    await asyncio.sleep(0)
    log.info("ready")
    await stopping.wait()
    fail(WORDS)


def _explained() -> TiroError:
    return invalid_argument(reasons.ERROR_REASON_INVALID_REQUEST, "this message is Tiro's own")


async def _lose_a_task() -> None:
    async def work() -> None:
        fail(WORDS)

    task = asyncio.create_task(work(), name="lost")
    await asyncio.wait((task,))


if __name__ == "__main__":
    run_service("talkative", CoreSettings, serve)
