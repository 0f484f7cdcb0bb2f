"""What `tiro` says when something is wrong, for any command: a sentence and an exit code."""

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import trustme
import typer

from tests.integration.client.command import END_SECONDS_MAX, Ended, end_of, plain, run, tiro
from tests.integration.client.servers import Deployment
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_client.cli import exit_codes
from tiro_client.cli.runner import TRACEBACK_VARIABLE
from tiro_client.cli.runner import run as run_command
from tiro_core.errors import TiroError


@pytest.mark.parametrize("command", ["transcribe", "listen"])
async def test_standard_input_that_is_a_terminal_is_refused(address: str, command: str) -> None:
    """`-` without a pipe is a usage error, and does not wait for somebody to type a recording."""
    ours, terminal = os.openpty()
    try:
        async with tiro(address, command, "-", stdin=terminal) as process:
            ended = await end_of(process)
    finally:
        os.close(ours)
        os.close(terminal)
    assert ended.code == exit_codes.USAGE
    assert "standard input is a terminal" in " ".join(ended.err.split())


async def test_no_service(unused_address: str) -> None:
    """Without a service the error is one line with the setting to check, and the exit code is UNREACHABLE."""
    ended = await run(unused_address, "jobs", "list")
    assert ended.code == exit_codes.UNREACHABLE
    (line,) = ended.err.splitlines()
    assert "TIRO_ADDRESS" in line


async def test_a_wrong_key(address: str, deployment: Deployment) -> None:
    """With a refused key the exit code is UNAUTHENTICATED."""
    refused = TiroError(grpc.StatusCode.UNAUTHENTICATED, reasons.ERROR_REASON_API_KEY_INVALID, "not known")
    deployment.jobs.failures = [refused]
    ended = await run(address, "--api-key", "tiro_wrong", "jobs", "list")
    assert ended == Ended(exit_codes.UNAUTHENTICATED, "", "tiro: not known (API_KEY_INVALID)\n")
    assert deployment.jobs.metadata[0]["authorization"] == "Bearer tiro_wrong"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("transcribe", "ftp://example.com/a.wav"), "only http, https and s3"),
        (("transcribe", "a.wav", "-o", __file__), "is a file, not a folder"),
        (("--address", "http://127.0.0.1:50051", "engines"), "without http://"),
        (("--api-key", "tiro_\u00fc", "engines"), "printable ASCII"),
        (("--address", ":50051", "engines"), "an address is host:port"),
        (("--address", "127.0.0.1:99999", "engines"), "an address is host:port"),
        (("transcribe", ""), "the name of a recording is empty"),
        (("transcribe", "a.wav", "--start", "inf"), "--start"),
        (("transcribe", "a.wav", "--output", "/nowhere/a.txt"), "no such folder"),
        (("jobs", "watch", "abcd", "--after", "99999999999999999999"), "--after"),
    ],
)
async def test_a_wrong_argument_is_explained(address: str, arguments: tuple[str, ...], why: str) -> None:
    """A wrong argument is a usage error with its reason."""
    ended = await run(address, *arguments)
    assert ended.code == exit_codes.USAGE
    assert why in plain(ended.err)


async def test_help_has_a_short_name(address: str) -> None:
    """`-h` is `--help`, for every command."""
    for arguments in ((), ("transcribe",), ("jobs", "list")):
        assert (await run(address, *arguments, "-h")).code == exit_codes.OK


@pytest.mark.usefixtures("succeeding")
async def test_any_text_in_the_c_locale(address: str, recordings: list[Path]) -> None:
    """A locale that knows ASCII only gets UTF-8, and no traceback."""
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ended = await run(address, "transcribe", recordings[0], variables=ascii_only)
    assert ended == Ended(exit_codes.OK, "Buenos días.\nAdiós.\n", "")
    missing = recordings[0].with_name("señal.wav")
    ended = await run(address, "transcribe", missing, variables=ascii_only)
    assert ended.err == f"{missing}: No such file or directory\n"


async def test_a_reader_that_has_enough(address: str, deployment: Deployment) -> None:
    """A pipe that is closed early, as `head` does, is no error that anybody is told about."""
    deployment.jobs.jobs = [Transcription(name=f"transcriptions/{uuid.uuid4()}") for _ in range(3)]
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tiro_client", "--address", address, "jobs", "list"),
        stdout=write_end,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(write_end)
    _, err = await asyncio.wait_for(process.communicate(), END_SECONDS_MAX)
    assert err == b""


async def test_another_service_at_the_address(speech: Path) -> None:
    """A server without the service is named with the variables of the two addresses."""
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        ended = await run(f"127.0.0.1:{port}", "listen", speech)
    finally:
        await server.stop(None)
    assert ended.code == exit_codes.REFUSED
    (line,) = ended.err.splitlines()
    assert "TIRO_STREAMING_ADDRESS" in line


async def test_a_program_that_is_no_service(unused_tcp_server: str) -> None:
    """Something else at the address is told from a service that is away."""
    ended = await run(unused_tcp_server, "jobs", "list")
    assert ended.code == exit_codes.UNREACHABLE
    (line,) = ended.err.splitlines()
    assert "does not speak gRPC" in line


@pytest.fixture
async def unused_tcp_server() -> AsyncIterator[str]:
    """The address of a program that answers as a web server does."""

    def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"


@pytest.mark.parametrize("case", ["no TLS there", "TLS there", "another authority", "no PEM"])
async def test_tls_that_does_not_match(deployment: Deployment, tmp_path: Path, case: str) -> None:
    """One line says what is wrong with TLS, without the lines of gRPC's core."""
    authority, other = trustme.CA(), trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    pair = (issued.private_key_pem.bytes(), b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    known, unknown, broken = (tmp_path / name for name in ("known.pem", "unknown.pem", "broken.pem"))
    authority.cert_pem.write_to_path(str(known))
    other.cert_pem.write_to_path(str(unknown))
    broken.write_text("no PEM")
    server, arguments, why = {
        "no TLS there": (None, ("--tls-ca", str(known)), "the server does not speak TLS"),
        "TLS there": (pair, (), "if it speaks TLS, add --tls-ca"),
        "another authority": (pair, ("--tls-ca", str(unknown)), "is not signed by the authorities"),
        "no PEM": (pair, ("--tls-ca", str(broken)), "has no certificates in PEM format"),
    }[case]
    credentials = grpc.ssl_server_credentials([server]) if server else None
    async with deployment.serving(credentials=credentials) as address:
        ended = await run(address, *arguments, "jobs", "list")
    assert ended.code == exit_codes.UNREACHABLE
    (line,) = ended.err.splitlines()
    assert why in line


def test_a_fault_of_the_program_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error that nobody expected is one line with exit code 7; a variable shows where it was raised."""

    async def fail() -> int:
        raise RuntimeError("unexpected")

    usual = signal.getsignal(signal.SIGTERM)
    try:
        for variable, shows in (("", False), ("1", True)):
            monkeypatch.setenv(TRACEBACK_VARIABLE, variable)
            with pytest.raises(typer.Exit) as caught:
                run_command(fail())
            assert caught.value.exit_code == exit_codes.INTERNAL
            err = capsys.readouterr().err
            assert "a fault of this program: RuntimeError: unexpected" in err
            assert ("Traceback" in err) is shows
    finally:
        signal.signal(signal.SIGTERM, usual)
