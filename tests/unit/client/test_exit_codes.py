"""Exit codes and error messages of `tiro`."""

import grpc
import pytest

from tiro_client import errors
from tiro_client.cli import exit_codes
from tiro_client.cli.explanations import describe


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.Unavailable("away", code=grpc.StatusCode.UNAVAILABLE), exit_codes.UNREACHABLE),
        (errors.DeadlineExceeded("late", code=grpc.StatusCode.DEADLINE_EXCEEDED), exit_codes.UNREACHABLE),
        (errors.Unauthenticated("key", code=grpc.StatusCode.UNAUTHENTICATED), exit_codes.UNAUTHENTICATED),
        (errors.InvalidRequest("bad", code=grpc.StatusCode.INVALID_ARGUMENT), exit_codes.REFUSED),
        (errors.NotFound("gone", code=grpc.StatusCode.NOT_FOUND), exit_codes.REFUSED),
        (errors.ResourceExhausted("full", code=grpc.StatusCode.RESOURCE_EXHAUSTED), exit_codes.BUSY),
        (errors.InternalError("fault", code=grpc.StatusCode.INTERNAL), exit_codes.INTERNAL),
    ],
)
def test_each_kind_of_error_has_its_code(error: errors.TiroError, code: int) -> None:
    """Each kind of error has an exit code of its own, for scripts."""
    assert exit_codes.exit_code_of(error) == code


def test_help_lists_every_code() -> None:
    """`tiro --help` documents each constant."""
    codes = [value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)]
    assert all(f"{code} " in exit_codes.HELP for code in codes)


def test_an_error_is_one_line() -> None:
    """Any message is one line. Without a connection it says what to check."""
    assert describe(errors.TiroError("a\n  b", reason="X")) == "a b (X)"
    assert "TIRO_ADDRESS" in describe(errors.Unavailable("refused", code=grpc.StatusCode.UNAVAILABLE))
