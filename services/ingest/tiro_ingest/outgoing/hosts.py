"""The hosts that URLs may name: addresses in standard notation, and valid DNS names.

C libraries and browsers read `0`, `127.1`, `0x7f.1` and `2130706433` as addresses, so attackers use them to get around
checks of addresses. The connector refuses such addresses as well; here they are refused before they are stored.
"""

import ipaddress
import re

NAME_CHARACTERS_MAX = 253
"""The longest name, by RFC 1035."""
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)
"""A label of a name (RFC 1035), or one with underscores, which some names have."""
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)
"""The last label of a host that is parsed as an IPv4 address (the URL Standard's `ends in a number`)."""


def is_spelled_host(host: str) -> bool:
    """Whether a URL's host, in ASCII and without brackets, means the same to every library.

    It may be an IPv4 address with four decimal numbers, an IPv6 address without a zone, or a name.
    """
    if ":" in host:
        return _is_address(host) and "%" not in host
    name = host.removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _is_address(host)
    return len(name) <= NAME_CHARACTERS_MAX and all(_LABEL.fullmatch(label) for label in labels)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
