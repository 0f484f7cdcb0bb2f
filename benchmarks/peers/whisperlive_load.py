"""Speakers for WhisperLive, in its environment: what `benchmarks.live.speakers` is for Tiro.

Reads one JSON object on stdin, plays a recording over a number of connections in real time, and prints one JSON object
with all events and their times, as `benchmarks.live.speakers` does. WhisperLive sends the whole text with every
message, so each message is a partial and the last one the final. It does not mark its last message: like its own
client, a speaker waits until there is nothing new.
"""

import asyncio
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.peers.whisperlive_transcript import Transcript
from benchmarks.shared.pacing import paced

QUIET_SECONDS = 45.0
"""A speaker that has ended waits this long for new text.

WhisperLive's own client waits 15 s; a server that is behind gets more time, so that no words are missed.
"""
FINISH_SECONDS_MAX = 180.0
"""The longest time for the last words after the audio."""
END_OF_AUDIO = b"END_OF_AUDIO"


async def open_session(socket: ClientConnection, task: dict[str, Any], name: str) -> str:
    """Wait until the server is ready. Returns an error, or an empty text."""
    options = {
        "uid": name,
        "language": "en",
        "task": "transcribe",
        "model": task["model"],
        "use_vad": True,
        "audio_format": "int16",
    }
    await socket.send(json.dumps(options))
    answer = json.loads(await socket.recv())
    return "" if answer.get("message") == "SERVER_READY" else json.dumps(answer)


async def speak(pcm: bytes, task: dict[str, Any], delay: float, name: str) -> dict[str, Any]:
    """One stream, from its opening to its end."""
    await asyncio.sleep(delay)
    seen: dict[str, Any] = {"begun": 0.0, "half_closed": 0.0, "events": [], "error": ""}
    try:
        # Without pings of ours: a server that computes answers them late, and its own client sends none.
        async with connect(task["address"], ping_interval=None) as socket:
            seen["error"] = await open_session(socket, task, name)
            if not seen["error"]:
                await _converse(socket, pcm, seen)
    except (ConnectionClosed, OSError) as error:
        seen["error"] = repr(error)
    return seen


async def _converse(socket: ClientConnection, pcm: bytes, seen: dict[str, Any]) -> None:
    seen["begun"] = begun = time.monotonic()
    listening = asyncio.create_task(_listen(socket, seen))
    async for frame in paced(pcm, begun):
        await socket.send(frame)
    seen["half_closed"] = time.monotonic()
    await listening
    await socket.send(END_OF_AUDIO)
    if seen["events"]:
        at, _, words = seen["events"][-1]
        seen["events"].append((at, "final", words))


async def _listen(socket: ClientConnection, seen: dict[str, Any]) -> None:
    """Record messages until the speaker has ended and there is nothing new."""
    transcript = Transcript()
    changed_at = time.monotonic()
    while not seen["half_closed"] or time.monotonic() < max(changed_at, seen["half_closed"]) + QUIET_SECONDS:
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                message = json.loads(await socket.recv())
        except TimeoutError:
            continue
        words = transcript.update(message.get("segments", ()))
        if words is not None:
            changed_at = time.monotonic()
            seen["events"].append((changed_at, "partial", words))
            if seen["half_closed"] and changed_at > seen["half_closed"] + FINISH_SECONDS_MAX:
                return


async def main() -> None:
    """Run the task on stdin."""
    task = json.loads(sys.stdin.read())
    pcm = Path(task["pcm"]).read_bytes()  # noqa: ASYNC240 - nothing else runs yet
    async with connect(task["address"], ping_interval=None) as socket:
        # The first client makes the server load its model.
        refused = await open_session(socket, task, "first")
        if refused:
            sys.exit(f"WhisperLive: {refused}")
    streams = await asyncio.gather(
        *(
            speak(pcm, task, number * task["stagger_seconds"] / task["streams"], f"speaker-{number}")
            for number in range(task["streams"])
        )
    )
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"streams": streams, "cpu_seconds": used.ru_utime + used.ru_stime}))


if __name__ == "__main__":
    asyncio.run(main())
