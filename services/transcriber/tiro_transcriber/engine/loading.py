"""Loading the engine, with retries until it is loaded. Each failure is logged with its reason."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from tiro_core.logs.logger import get_logger
from tiro_engines.interface import Engine, EngineSettings, EngineType, ModelUnavailable

RETRY_SECONDS = 30.0

log = get_logger()


async def load_engine(kind: EngineType, engine: str, model: str, settings: EngineSettings) -> Engine:
    """Load an engine with its model. Retries without a limit; the worker is not ready meanwhile."""
    while True:
        begun = time.monotonic()
        log.info("engine_loading", engine=engine, model=model)
        try:
            loaded = await _in_thread(lambda: kind.load(model, settings))
        except ModelUnavailable as error:
            log.error("model_unavailable", engine=engine, model=model, reason=str(error), retry_seconds=RETRY_SECONDS)  # noqa: TRY400 - the reason is enough
            await asyncio.sleep(RETRY_SECONDS)
        else:
            seconds = round(time.monotonic() - begun, 2)
            log.info("engine_loaded", engine=engine, model=model, digest=loaded.model.digest, seconds=seconds)
            return loaded


async def _in_thread(load: Callable[[], Engine]) -> Engine:
    """Load on a thread that a stopping service does not wait for, because a download may take minutes.

    The next start of the worker continues an unfinished download.
    """
    loop = asyncio.get_running_loop()
    loaded: asyncio.Future[Engine] = loop.create_future()

    def settle(outcome: Engine | Exception) -> None:
        if loaded.cancelled():
            return
        if isinstance(outcome, Exception):
            loaded.set_exception(outcome)
        else:
            loaded.set_result(outcome)

    def work() -> None:
        try:
            outcome: Engine | Exception = load()
        except Exception as error:  # noqa: BLE001 - raised again where it is awaited
            outcome = error
        with suppress(RuntimeError):  # the loop is closed: the service has stopped meanwhile
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=work, name="engine-loading", daemon=True).start()
    return await loaded
