"""An account at the test server, as an engine in this process finds it: by its environment."""

import asyncio
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.transcribe.server import TranscribeServer, running_transcribe
from tests.support.transcribe.signing import ACCESS_KEY, SECRET_KEY

START_SECONDS_MAX = 10.0


@contextmanager
def amazon_account() -> Iterator[TranscribeServer]:
    """A server on a thread of its own, and an environment in which the engine speaks to it."""
    with tempfile.TemporaryDirectory() as folder, transcribe_on_thread(Path(folder)) as server:
        told = account_environment(server)
        before = {name: os.environ.get(name) for name in told}
        os.environ.update(told)
        try:
            yield server
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def account_environment(server: TranscribeServer) -> dict[str, str]:
    """What a process is told of it."""
    return {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "SSL_CERT_FILE": str(server.authority),
        "TIRO_AMAZON_ENDPOINT": server.url,
        "TIRO_AMAZON_PACE": "100",
    }


@contextmanager
def transcribe_on_thread(folder: Path) -> Iterator[TranscribeServer]:
    """A server on a thread of its own. Its certificate is kept in `folder`."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="transcribe-server")
    thread.start()
    context = running_transcribe(folder)
    try:
        yield asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(START_SECONDS_MAX)
    finally:
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(START_SECONDS_MAX)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
