"""Addresses that ingest may connect to for a caller."""

import ipaddress

import pytest

from tiro_ingest.outgoing.addresses import AddressPolicy, AddressRefusedError


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111"])
@pytest.mark.parametrize("port", [80, 443])
def test_public_addresses_are_allowed(address: str, port: int) -> None:
    """By default public addresses are allowed on the ports of HTTP and HTTPS."""
    AddressPolicy().check(address, port)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - refused, not bound
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:1.1.1.1",
        "::ffff:7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b::101:101",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:101:101::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%lo",
        "2606:4700:4700::1111%lo",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    """Private, loopback, link-local, shared, multicast, reserved, and embedded IPv4 addresses are refused."""
    with pytest.raises(AddressRefusedError):
        AddressPolicy().check(address, 443)


@pytest.mark.parametrize("address", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "127.0.0.1 ", "localhost", ""])
def test_unusual_spellings_of_addresses_are_refused(address: str) -> None:
    """A text that only some libraries read as an address is refused, even if all networks are allowed."""
    with pytest.raises(AddressRefusedError):
        AddressPolicy(allowed_networks=[ipaddress.ip_network("0.0.0.0/0")]).check(address, 443)


@pytest.mark.parametrize("port", [0, 22, 25, 4222, 8080])
def test_other_ports_are_refused(port: int) -> None:
    """Ports other than 80 and 443 of public addresses are refused."""
    with pytest.raises(AddressRefusedError):
        AddressPolicy().check("1.1.1.1", port)


def test_the_allow_list_allows_its_networks_only() -> None:
    """Addresses of an allowed network are allowed on any port. Other private addresses are refused."""
    policy = AddressPolicy(allowed_networks=[ipaddress.ip_network("10.1.0.0/16")])
    policy.check("10.1.2.3", 9000)
    for refused in ("10.2.0.1", "::ffff:10.1.2.3", "64:ff9b::a01:203"):
        with pytest.raises(AddressRefusedError):
            policy.check(refused, 9000)
