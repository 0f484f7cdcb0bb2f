"""The exit codes of `tiro`, for scripts."""

from tiro_client.errors import (
    DeadlineExceeded,
    JobFailed,
    PermissionDenied,
    ResourceExhausted,
    TiroError,
    Unauthenticated,
    Unavailable,
)

OK = 0
FAILED = 1
"""A job or file failed; the others are done."""
USAGE = 2
"""The command line is invalid, or names a file that cannot be read."""
UNREACHABLE = 3
"""The service could not be reached, or lacks something that it needs, such as a worker."""
UNAUTHENTICATED = 4
"""The API key is missing, wrong, revoked, or does not allow this."""
REFUSED = 5
"""The service refused the request: it is invalid, or names something that does not exist."""
BUSY = 6
"""A limit of the deployment is reached. A retry may succeed later."""
INTERNAL = 7
"""A fault of the service or of this program."""
INTERRUPTED = 130
"""Ctrl-C."""

HELP = (
    "Exit codes: 0 success; 1 a job or file failed; 2 invalid usage; 3 service not reachable, or no worker for the "
    "model; 4 API key missing, invalid or revoked; 5 request refused; 6 a limit of the deployment is reached, retry "
    "later; 7 internal fault; 130 interrupted."
)

_BY_KIND: tuple[tuple[type[TiroError], int], ...] = (
    # First, because a job's error has the gRPC code of what made the job fail.
    (JobFailed, FAILED),
    (Unavailable, UNREACHABLE),
    (DeadlineExceeded, UNREACHABLE),
    (Unauthenticated, UNAUTHENTICATED),
    (PermissionDenied, UNAUTHENTICATED),
    (ResourceExhausted, BUSY),
)


def exit_code_of(error: TiroError) -> int:
    """The exit code after an error that ends the command."""
    for kind, code in _BY_KIND:
        if isinstance(error, kind):
            return code
    return INTERNAL if error.code.name in {"INTERNAL", "UNKNOWN", "DATA_LOSS"} else REFUSED
