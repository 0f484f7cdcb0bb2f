"""Jobs with an engine that costs nothing, to measure what is around it.

One ingest service and one transcriber with one slot, all on this machine.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.jobs.acceptance import accept
from benchmarks.jobs.event_latency import measure_events
from benchmarks.jobs.fairness import share
from benchmarks.jobs.listing import list_many
from benchmarks.jobs.scaling import scale
from deploy.local.ports import Ports
from deploy.local.stack import environment, running_stack, wait_ready
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.server.auth.keys import ApiKeys
from tiro_core.settings import CoreSettings

TENANTS = ("one", "other")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add options of this benchmark."""
    parser.add_argument("--accepted", type=int, default=3000, help="jobs to accept")
    parser.add_argument("--listed", type=int, default=100_000, help="jobs in the store when lists are read")
    parser.add_argument(
        "--waiting", type=int, default=10_000, help="waiting jobs of one tenant while another tenant's job is measured"
    )
    parser.add_argument("--minutes", type=float, default=60, help="length of the recording that the workers share")


def run(arguments: argparse.Namespace) -> str:
    """Measure, and return the tables."""
    return asyncio.run(_measure(arguments))


async def _measure(arguments: argparse.Namespace) -> str:
    parts = []
    async with _deployment("markers") as (settings, keys, bus):
        address = settings["TIRO_ADDRESS"]
        parts.append(await measure_events(address, keys[TENANTS[0]]))
        parts.append(await accept(address, keys[TENANTS[0]], bus, jobs=arguments.accepted))
        parts.append(await list_many(address, keys[TENANTS[1]], bus, tenant=TENANTS[1], jobs=arguments.listed))
    async with _deployment("markers-30x") as (settings, keys, bus):
        parts.append(await scale(settings, keys[TENANTS[0]], bus, minutes=arguments.minutes))
        address = settings["TIRO_ADDRESS"]
        parts.append(await share(address, keys[TENANTS[0]], keys[TENANTS[1]], waiting=arguments.waiting))
    return "\n\n".join(parts)


@asynccontextmanager
async def _deployment(model: str) -> AsyncIterator[tuple[dict[str, str], dict[str, str], Bus]]:
    """A deployment with the fake engine: its settings, a key for each tenant, and a connection to its NATS."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            **environment(Path(folder), Ports.free()),
            "TIRO_AUTH": "api-key",
            "TIRO_ENGINE": "fake",
            "TIRO_MODEL": model,
            "TIRO_DEFAULT_ENGINE": "fake",
            "TIRO_DEFAULT_MODEL": model,
        }
        core = CoreSettings.model_validate({"nats_url": settings["TIRO_NATS_URL"], "log_level": "warning"})
        with running_stack(settings) as supervisor:
            await asyncio.to_thread(
                wait_ready, settings, supervisor, lambda name: print(f"{name} is ready", file=sys.stderr)
            )
            async with open_bus(core, "bench-jobs") as bus:
                keys = {tenant: (await ApiKeys(bus).create(tenant, "bench"))[0] for tenant in TENANTS}
                yield settings, keys, bus
