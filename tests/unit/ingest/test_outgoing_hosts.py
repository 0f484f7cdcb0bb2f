"""Validation of the host in a URL."""

import pytest

from tiro_ingest.outgoing.client import UrlInvalidError, parse_url
from tiro_ingest.outgoing.hosts import is_spelled_host


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "example.org.",
        "localhost",
        "a_service.internal",
        "xn--mnchen-3ya.de",
        "3com.com",
        "0x7f.example",
        "127.0.0.1",
        "8.8.8.8",
        "::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "a" * 63 + ".org",
    ],
)
def test_unambiguous_hosts_are_valid(host: str) -> None:
    """Names and addresses in their usual spelling are valid. `AddressPolicy` decides which are allowed."""
    assert is_spelled_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "0",
        "127.1",
        "127.0.1",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.01",
        "0x7f000001",
        "0x7f.0.0.1",
        "0x",
        "256.1.1.1",
        "1.2.3.4.5",
        "127.0.0.1.",
        "example.1",
        "example.0x1",
        "a..b",
        "-a.org",
        "a-.org",
        "a b.org",
        "%30",
        "1.1.1.1%00",
        "fe80::1%eth0",
        "v1.a:b",
        "a" * 64 + ".org",
        "a." * 127 + "org",
        "münchen.de",
    ],
)
def test_ambiguous_hosts_are_invalid(host: str) -> None:
    """Short, octal, hexadecimal and single numbers, and malformed names, are invalid."""
    assert not is_spelled_host(host)


@pytest.mark.parametrize(
    "url",
    [
        "http://0/",
        "http://127.1/",
        "https://0x7f.1:443/hook",
        "http://\uff11\uff12\uff17.1/",
        "http://a..b/",
        "http://%30/",
    ],
)
def test_urls_with_an_ambiguous_host_are_refused(url: str) -> None:
    """Full-width digits are read as digits first. The message names no part of the URL."""
    with pytest.raises(UrlInvalidError, match="the URL's host cannot be read"):
        parse_url(url)


def test_a_name_in_another_alphabet() -> None:
    """An internationalized name is converted to its ASCII form."""
    assert parse_url("https://münchen.de/a").raw_host == "xn--mnchen-3ya.de"
