"""`tiro engines`: the engines and models of a deployment, and their live workers."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column

from tiro_client.cli import exit_codes
from tiro_client.cli.client_options import ClientOptions, options_of
from tiro_client.cli.console import print_json, results
from tiro_client.cli.runner import run
from tiro_client.cli.tables import print_table
from tiro_client.engines.models import Capability, Engine, EngineModel, Price

_SHORT_NAMES = {
    Capability.WORD_TIMESTAMPS: "words",
    Capability.TRANSLATION: "to-en",
    Capability.LANGUAGE_DETECTION: "detects",
    Capability.INITIAL_PROMPT: "prompt",
    Capability.TEMPERATURE: "temp",
    Capability.BEAM_SIZE: "beam",
    Capability.LANGUAGE_CANDIDATES: "among",
    Capability.VOICE_ACTIVITY_FILTER: "vad-off",
}
"""Short names for the table. A capability without one has its own name; batch and live have columns of their own."""
_COLUMNS = (Capability.BATCH, Capability.LIVE)
_UNABLE = "-"


def engines(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON for each.")] = False,
) -> None:
    """List engines, a line for each model.

    spoken: the language, or the number of languages.

    can: the options that the model takes. words: words with times. to-en: translation to English. detects: language
    detection. among: detection among named languages. prompt: an initial prompt. temp: a temperature. beam: a beam
    size. vad-off: a voice activity filter that can be turned off. Others are named as the option.

    alive: the number of live workers. jobs, live: how many more of these they take now.

    a minute: the price of a minute of audio, where the deployment has one.
    """
    run(_list(options_of(context), as_json=as_json))


async def _list(options: ClientOptions, *, as_json: bool) -> int:
    async with options.client() as client:
        found = await client.list_engines()
    console = results()
    if as_json:
        for engine in found:
            print_json(console, engine_to_dict(engine))
    else:
        _print(console, sorted(found, key=_order))
    return exit_codes.OK


def _print(console: Console, found: Sequence[Engine]) -> None:
    numbers = (Column(header, justify="right") for header in ("alive", "jobs", "live"))
    prices = ("a minute",) if any(model.price_per_minute for engine in found for model in engine.models) else ()
    rows = (_row(engine, model, bool(prices)) for engine in found for model in engine.models)
    print_table(console, ("engine", "model", "spoken", "can", *numbers, *prices), rows)


def _row(engine: Engine, model: EngineModel, has_prices: bool) -> tuple[str, ...]:
    default = engine.taken_by_default and model.name == engine.default_model
    return (
        engine.name,
        f"{model.name} (default)" if default else model.name,
        _languages(model),
        " ".join(_SHORT_NAMES.get(one, one.value) for one in model.capabilities if one not in _COLUMNS),
        str(model.worker_count),
        str(model.free_job_slots) if Capability.BATCH in model.capabilities else _UNABLE,
        str(model.free_session_slots) if Capability.LIVE in model.capabilities else _UNABLE,
        *([_price(model.price_per_minute)] if has_prices else []),
    )


def _order(engine: Engine) -> tuple[bool, bool, str]:
    """The default engine first, then those that workers run, then the others."""
    return not engine.taken_by_default, not engine.is_alive, engine.name


def _languages(model: EngineModel) -> str:
    return model.languages[0] if len(model.languages) == 1 else str(len(model.languages))


def _price(price: Price | None) -> str:
    return f"{price.amount:f} {price.currency}" if price else ""


def engine_to_dict(engine: Engine) -> dict[str, Any]:
    """An engine as plain data; amounts of money are text, which is exact."""
    models = [{**asdict(model), "price_per_minute": _price_to_dict(model.price_per_minute)} for model in engine.models]
    return {**asdict(engine), "models": models}


def _price_to_dict(price: Price | None) -> dict[str, str] | None:
    return {"amount": f"{price.amount:f}", "currency": price.currency} if price else None
