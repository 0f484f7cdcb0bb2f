"""Errors in one line, with what to check where that is known."""

import re

from tiro_client.errors import TiroError
from tiro_client.settings import ADDRESS_VARIABLE, API_KEY_VARIABLE, STREAMING_ADDRESS_VARIABLE, TLS_CA_VARIABLE

_CONNECTION_FAULTS = (
    (r"DNS|Domain name|domain name|Name or service not known", "there is no host of this name"),
    (
        r"CERTIFICATE_VERIFY_FAILED",
        f"the server's certificate is not signed by the authorities of --tls-ca ({TLS_CA_VARIABLE})",
    ),
    (r"WRONG_VERSION_NUMBER", f"the server does not speak TLS: leave out --tls-ca ({TLS_CA_VARIABLE})"),
    (
        r"Hostname Verification|[Pp]eer name",
        "the server's certificate is for another host name than that of the address",
    ),
    (
        r"Failed to create security handshaker",
        f"the file of --tls-ca ({TLS_CA_VARIABLE}) has no certificates in PEM format",
    ),
    (
        r"[Ss]ocket closed|Connection reset|Failed parsing HTTP/2|before receiving SETTINGS|Trying to connect an http1",
        f"the program at this address does not speak gRPC; if it speaks TLS, add --tls-ca ({TLS_CA_VARIABLE})",
    ),
)
"""What gRPC says when a connection fails, and what it means."""
_ADVICE_BY_REASON = {
    "NO_WORKER": "`tiro engines` lists the models that workers run; another worker: `TIRO_MODEL=NAME tiro-transcriber`",
    "API_KEY_MISSING": f"give one with {API_KEY_VARIABLE}",
    "URI_FORBIDDEN": "the deployment's setting TIRO_OUTGOING_NETWORKS allows private networks",
}


def describe(error: TiroError) -> str:
    """An error of the service or of the connection, with what to check."""
    text = " ".join(str(error).split())
    if error.reason:
        advice = _ADVICE_BY_REASON.get(error.reason)
        return f"{text}; {advice}" if advice else text
    if error.code.name == "UNAVAILABLE":
        return _unreachable(text)
    if error.code.name == "UNIMPLEMENTED":
        return (
            f"the server has no such service ({text}): jobs are at {ADDRESS_VARIABLE}, live streams at "
            f"{STREAMING_ADDRESS_VARIABLE}"
        )
    return text


def _unreachable(text: str) -> str:
    for pattern, meaning in _CONNECTION_FAULTS:
        if re.search(pattern, text):
            return f"the service cannot be reached: {meaning}"
    return (
        f"the service cannot be reached ({text}); is it running, and is its address right "
        f"({ADDRESS_VARIABLE}, {STREAMING_ADDRESS_VARIABLE})?"
    )


def describe_unicode_error(error: UnicodeEncodeError) -> str:
    """The text that cannot be sent: an argument of the command line may be any bytes."""
    return f"not valid UTF-8: {error.object.encode('utf-8', 'replace').decode()!r}"


def describe_os_error(error: OSError) -> str:
    """An error of the operating system."""
    name = f"{error.filename}: " if error.filename else ""
    return f"{name}{error.strerror or error}"
