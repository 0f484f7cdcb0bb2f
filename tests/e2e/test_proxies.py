"""The samples for proxies in `deploy/proxies`, with the real programs where they are installed."""

import shutil
import subprocess
import time
import wave
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from deploy.local.ports import free_port, is_taken
from tests.support.stack import Stack
from tiro_client import AsyncClient, JobState

SAMPLES = Path(__file__).parents[2] / "deploy" / "proxies"
START_SECONDS_MAX = 30.0
RATE_HZ = 16_000
AUDIO_SECONDS = 120
"""3.8 MB: more than what nginx and gRPC take in one piece by default."""
CHUNK_BYTES = 3200

pytestmark = pytest.mark.xdist_group("fake stack")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A certificate of localhost, its key, and the authority."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    files = {name: folder / name for name in ("tls.crt", "tls.key", "ca.pem")}
    authority.cert_pem.write_to_path(str(files["ca.pem"]))
    issued.private_key_pem.write_to_path(str(files["tls.key"]))
    for pem in issued.cert_chain_pems:
        pem.write_to_path(str(files["tls.crt"]), append=True)
    return files


def configured(sample: str, stack: Stack, port: int, certificates: dict[str, Path], listen: str) -> str:
    """A sample with the ports and the certificates of the test instead of its own."""
    text = (SAMPLES / sample).read_text()
    jobs, live = (address.rpartition(":")[2] for address in (stack.address, stack.streaming_address))
    replaced = {
        listen: listen.replace("443", str(port)),
        "50051": jobs,
        "50052": live,
        "/etc/tiro/tls.crt": str(certificates["tls.crt"]),
        "/etc/tiro/tls.key": str(certificates["tls.key"]),
    }
    for before, after in replaced.items():
        assert before in text, f"{sample} has no {before}"
        text = text.replace(before, after)
    return text


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[None]:
    """A proxy that listens, until the context ends."""
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            deadline = time.monotonic() + START_SECONDS_MAX
            while not is_taken(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield
        finally:
            process.terminate()


@pytest.fixture(params=["nginx", "envoy"])
def proxy(
    request: pytest.FixtureRequest, fake_stack: Stack, certificates: dict[str, Path], tmp_path: Path
) -> Iterator[str]:
    """The address of a proxy in front of the stack."""
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"{request.param} IS NOT INSTALLED: deploy/proxies was not tested with it")
    port = free_port()
    if request.param == "nginx":
        own = f"daemon off; pid {tmp_path}/nginx.pid; error_log stderr;"
        config = tmp_path / "nginx.conf"
        config.write_text(configured("nginx.conf", fake_stack, port, certificates, "listen 443 ssl"))
        command = [program, "-p", str(tmp_path), "-c", str(config), "-g", own]
    else:
        config = tmp_path / "envoy.yaml"
        config.write_text(configured("envoy.yaml", fake_stack, port, certificates, "port_value: 443"))
        command = [program, "-c", str(config), "--concurrency", "1", "--log-level", "warning", "--use-dynamic-base-id"]
    with running(command, port, tmp_path / "proxy.log"):
        yield f"localhost:{port}"


@pytest.fixture
async def client(proxy: str, certificates: dict[str, Path]) -> AsyncIterator[AsyncClient]:
    """A client that knows one address, with TLS."""
    async with AsyncClient(proxy, tls=certificates["ca.pem"]) as opened:
        yield opened


async def test_a_recording_through_a_proxy(client: AsyncClient, tmp_path: Path) -> None:
    """An upload of several megabytes, a watch to the job's end, and the transcript."""
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(bytes(RATE_HZ * AUDIO_SECONDS * 2))
    job = await client.submit(path)
    ended = await client.wait(job)
    assert ended.state is JobState.SUCCEEDED
    assert (await client.get_transcript(job)).info.audio_seconds == AUDIO_SECONDS


async def test_a_live_stream_through_a_proxy(client: AsyncClient) -> None:
    """A stream of several megabytes ends with its last event, on its first connection."""

    async def audio() -> AsyncIterator[bytes]:
        for _ in range(RATE_HZ * AUDIO_SECONDS * 2 // CHUNK_BYTES):
            yield bytes(CHUNK_BYTES)

    kinds = [type(event).__name__ async for event in client.stream(audio(), sample_rate=RATE_HZ)]
    assert kinds[0] == "SessionStarted"
    assert kinds[-1] == "SessionEnded"
    assert "SessionResumed" not in kinds
