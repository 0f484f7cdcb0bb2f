"""The state of a node by its monitoring port, past the links: its health, the leaders, its clients."""

import asyncio
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from tests.support.cluster.node import Node

TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Leaders:
    """Leaders as one node sees them: names of nodes. Empty if there is no leader."""

    meta: str
    """Leader of the meta group, which assigns streams and consumers to nodes."""
    streams: dict[str, str]
    """Leader of each stream."""


async def message_count(node: Node, stream: str) -> int:
    """Messages of a stream that this node stores."""
    return next((detail["state"]["messages"] for detail in await _streams(node) if detail["name"] == stream), 0)


async def problem(node: Node) -> str:
    """The failure that its `/healthz` reports. Empty if it is healthy."""
    try:
        answer = await _get(node, "healthz")
    except urllib.error.HTTPError as error:
        with error:
            return f"{node.name}: {error.read().decode()}"
    except OSError as error:
        return f"{node.name}: {error}"
    return "" if answer.get("status") == "ok" else f"{node.name}: {answer}"


async def leaders(node: Node) -> Leaders:
    """The leaders as this node sees them.

    Raises:
        OSError: It does not answer.
    """
    state = await _get(node, "jsz")
    streams = await _streams(node)
    return Leaders(
        meta=state.get("meta_cluster", {}).get("leader", ""),
        streams={stream["name"]: stream.get("cluster", {}).get("leader", "") for stream in streams},
    )


async def clients(node: Node) -> list[str]:
    """Names of the clients that are connected, as far as the node knows."""
    state = await _get(node, "connz?limit=1024")
    return [connection.get("name", "") for connection in state["connections"]]


async def peer_ports(node: Node) -> set[int]:
    """Remote ports of its connections to other nodes."""
    state = await _get(node, "routez")
    return {route["port"] for route in state["routes"]}


async def _streams(node: Node) -> list[dict[str, Any]]:
    state = await _get(node, "jsz?accounts=true&streams=true")
    accounts = state.get("account_details") or []
    return [stream for account in accounts for stream in account.get("stream_detail") or []]


async def _get(node: Node, path: str) -> dict[str, Any]:
    url = f"http://127.0.0.1:{node.ports.monitor}/{path}"
    answer: dict[str, Any] = json.loads(await asyncio.to_thread(_read, url))
    return answer


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - a server of ours
        content: bytes = answer.read()
    return content
