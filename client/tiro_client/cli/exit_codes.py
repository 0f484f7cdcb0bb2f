"""How `tiro` ends, for scripts."""

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
"""Some job or file failed; the others are done."""
USAGE = 2
"""The command line makes no sense, or names a file that cannot be read."""
UNREACHABLE = 3
"""The service could not be reached, or lacks something it needs, as a worker."""
UNAUTHENTICATED = 4
"""The API key is missing, wrong, revoked, or does not allow this."""
REFUSED = 5
"""The service refused the request: wrong input, or no such thing."""
BUSY = 6
"""A limit of the deployment is reached; it may work later."""
INTERNAL = 7
"""A fault of the service, or of this program's own parts."""
INTERRUPTED = 130
"""Ctrl-C."""

HELP = (
    "Exit codes: 0 done; 1 some job or file failed; 2 wrong usage; 3 service not reachable, or no worker for the "
    "model; 4 API key missing, wrong or revoked; 5 request refused; 6 a limit of the deployment is reached, try later; "
    "7 internal fault; 130 interrupted."
)

_BY_KIND: tuple[tuple[type[TiroError], int], ...] = (
    # A job's error keeps the code it failed with: that it is a job comes first.
    (JobFailed, FAILED),
    (Unavailable, UNREACHABLE),
    (DeadlineExceeded, UNREACHABLE),
    (Unauthenticated, UNAUTHENTICATED),
    (PermissionDenied, UNAUTHENTICATED),
    (ResourceExhausted, BUSY),
)


def exit_code_of(error: TiroError) -> int:
    """How `tiro` ends after an error that ends everything."""
    for kind, code in _BY_KIND:
        if isinstance(error, kind):
            return code
    return INTERNAL if error.code.name in {"INTERNAL", "UNKNOWN", "DATA_LOSS"} else REFUSED
