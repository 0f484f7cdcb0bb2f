"""Runs a command: in an event loop, with errors as one line on stderr and an exit code."""

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Coroutine
from typing import Any

import typer

from tiro_client.cli import exit_codes
from tiro_client.cli.console import notes
from tiro_client.cli.explanations import describe, describe_os_error, describe_unicode_error
from tiro_client.errors import TiroError

TRACEBACK_VARIABLE = "TIRO_TRACEBACK"
"""Set to anything, it shows where an error was raised that this program does not expect."""


def run(command: Coroutine[Any, Any, int]) -> None:
    """Run a command and end the program with its exit code. SIGTERM means the same as Ctrl-C.

    Raises:
        typer.Exit: Always.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a script's background job: SIGTERM would be ignored, too
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda _number, _frame: signal.raise_signal(signal.SIGINT))
    try:
        code = asyncio.run(command)
    except TiroError as error:
        code = _fail(describe(error), exit_codes.exit_code_of(error))
    except BrokenPipeError:
        code = _reader_gone()
    except OSError as error:
        code = _fail(describe_os_error(error), exit_codes.USAGE)
    except UnicodeEncodeError as error:
        code = _fail(describe_unicode_error(error), exit_codes.USAGE)
    except KeyboardInterrupt:
        code = exit_codes.INTERRUPTED
    except typer.BadParameter:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a person has typed, the answer is a sentence
        if os.environ.get(TRACEBACK_VARIABLE):
            traceback.print_exc()
        sentence = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        code = _fail(f"a fault of this program: {sentence}; {TRACEBACK_VARIABLE}=1 shows where", exit_codes.INTERNAL)
    raise typer.Exit(code)


def _fail(sentence: str, code: int) -> int:
    notes().print(f"tiro: {sentence}")
    return code


def _reader_gone() -> int:
    """The reader of stdout has enough, as `head`: nothing is left to be written, not even by Python at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return exit_codes.FAILED
