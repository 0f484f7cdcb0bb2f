"""Processes that are forked before, while and after a client is open."""

import asyncio
import sys
from asyncio.subprocess import PIPE

import pytest

from tests.integration.client.servers import Deployment
from tiro.transcription.v1.transcription_pb2 import Transcription

PROGRAM = """
import os, sys
from tiro_client import Client
OPEN = {open}

def fork(program):
    child = os.fork()
    if child == 0:
        try:
            print(program(), flush=True)
        except RuntimeError as error:
            print(error, flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

def get(client):
    return client.get("one").name

def open_and_get():
    with Client() as client:
        return get(client)

def leave(client):
    client.__exit__(None, None, None)
    return "left"

fork(open_and_get)
with Client() as client:
    print(get(client), flush=True)
    if OPEN:
        fork(lambda: get(client))
        fork(open_and_get)
        fork(lambda: leave(client))
        print(get(client), flush=True)
fork(open_and_get)
"""
NAME = "transcriptions/one"
REFUSED = "this process was forked while a client was open"


@pytest.mark.parametrize("open_meanwhile", [False, True])
async def test_forks(deployment: Deployment, address: str, open_meanwhile: bool) -> None:
    """Before a client is opened and after it is closed, a new process opens its own. While it is open, it cannot.

    The new process is told so, instead of waiting without end, and can leave the client.
    """
    deployment.jobs.jobs = [Transcription(name=NAME)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM.format(open=open_meanwhile), env={"TIRO_ADDRESS": address}, stdout=PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    lines = [REFUSED if line.startswith(REFUSED) else line for line in output.decode().splitlines()]
    while_open = [REFUSED, REFUSED, "left", NAME] if open_meanwhile else []
    assert lines == [NAME, NAME, *while_open, NAME]
