"""Loading the engine: again and again until it is there, each time saying exactly what stood in the way."""

import asyncio
import time

from tiro_core.logs import get_logger
from tiro_transcriber.engines.interface import Engine, EngineSettings, EngineType, ModelUnavailable

RETRY_SECONDS = 30.0

log = get_logger()


async def load_engine(kind: EngineType, engine: str, model: str, settings: EngineSettings) -> Engine:
    """Load an engine with its model. Until that has succeeded the worker is not ready."""
    while True:
        begun = time.monotonic()
        log.info("engine_loading", engine=engine, model=model)
        try:
            loaded = await asyncio.to_thread(kind.load, model, settings)
        except ModelUnavailable as error:
            log.error("model_unavailable", engine=engine, model=model, reason=str(error), retry_seconds=RETRY_SECONDS)  # noqa: TRY400 - the reason says it all
            await asyncio.sleep(RETRY_SECONDS)
        else:
            seconds = round(time.monotonic() - begun, 2)
            log.info("engine_loaded", engine=engine, model=model, digest=loaded.model.digest, seconds=seconds)
            return loaded
