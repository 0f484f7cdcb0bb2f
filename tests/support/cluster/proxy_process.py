"""The program of the proxy's process: it creates and changes links by commands on stdin, one JSON object a line.

Each command names an `op` and a `link`, and is answered by one line. The process exits at the end of stdin.
"""

import asyncio
import json
import sys
from typing import Any

from tests.support.cluster.link import Link, Mode


class Host:
    """The links of the process."""

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}

    async def run(self, command: dict[str, Any]) -> int:
        """Execute a command, and return its result: the port of a new link, else 0."""
        op, name = command["op"], command["link"]
        if op == "open":
            link = self._links[name] = Link()
            return await link.open()
        link = self._links[name]
        match op:
            case "target":
                link.set_target(command["host"], command["port"])
            case "mode":
                link.set_mode(Mode(command["mode"]))
            case "delay":
                link.set_delay(command["seconds"])
            case "reset":
                link.reset()
            case _:
                raise ValueError(f"unknown command: {op}")
        return 0

    def close(self) -> None:
        """Close all links."""
        for link in self._links.values():
            link.close()


async def main() -> None:
    """Execute commands until the end of stdin."""
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    host = Host()
    try:
        while line := await commands.readline():
            sys.stdout.write(f"{await host.run(json.loads(line))}\n")
            sys.stdout.flush()
    finally:
        host.close()


if __name__ == "__main__":
    asyncio.run(main())
