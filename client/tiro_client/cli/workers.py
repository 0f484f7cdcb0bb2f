"""Whether any worker runs the model of a request: asked before a recording is sent."""

from collections.abc import Mapping
from typing import Any

from tiro_client.client import AsyncClient
from tiro_client.engines.models import Engine
from tiro_client.errors import TiroError, Unavailable


async def missing_worker(client: AsyncClient, recognition: Mapping[str, Any]) -> str | None:
    """A sentence that says that no worker runs the model, and how to start one. None if one does, or it is not known.

    It is not known for a policy, which chooses the engine later, and where the service does not list its engines.

    Args:
        client: An open client.
        recognition: The keyword arguments of `Recognition`.

    Raises:
        Unavailable: The service cannot be reached.
    """
    try:
        engines = await client.list_engines()
    except Unavailable:
        raise
    except TiroError:
        return None  # the request itself says why
    wanted = recognition.get("engine")
    engine = next((one for one in engines if (one.name == wanted if wanted else one.taken_by_default)), None)
    if engine is None:
        return None
    name = recognition.get("model") or engine.default_model
    model = next((one for one in engine.models if one.name == name), None)
    if model is None or model.worker_count:
        return None
    return f"no worker runs the model {name!r} of the engine {engine.name!r}. {_running(engine)} {how_to_start(name)}"


def how_to_start(model: str) -> str:
    """How a worker with a model is started, and how to wait for one."""
    return (
        f"Start a worker with TIRO_MODEL={model} tiro-transcriber (on one machine: make run MODEL={model}), "
        "or wait for one with --wait."
    )


def _running(engine: Engine) -> str:
    running = ", ".join(model.name for model in engine.models if model.worker_count)
    return f"Models that run now: {running or 'none'}."
