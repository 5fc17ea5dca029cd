"""Which addresses an interface may lead to: public ones, and those that were named."""

from __future__ import annotations

import pytest

from shared.networks import Networks
from shared.settings import SettingsError, load

PRIVATE = (
    "10.0.0.1", "172.16.9.9", "192.168.1.1", "127.0.0.1", "100.64.0.1", "0.0.0.0", "255.255.255.255", "198.18.0.1",
    "::1", "fd00::1", "fe80::1%eth0", "fec0::1", "::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "not-an-address",
)  # fmt: skip
NEVER = (
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "fd00:ec2::254",
    "100.100.100.200",
    "168.63.129.16",
    "224.0.0.1",
    "ff02::1",
    "::",
)
PUBLIC = ("93.184.215.14", "8.8.8.8", "2606:2800:21f::1", "64:ff9b::808:808", "::ffff:8.8.8.8")


def permits(text: str, addresses: tuple[str, ...], host: str = "erp.example", encrypted: bool = True) -> set[bool]:
    networks = Networks.parse(text)
    return {networks.permits(host, address, encrypted=encrypted) for address in addresses}


def test_without_a_word_public_addresses_only() -> None:
    assert permits("", PUBLIC) == {True}
    assert permits("", PRIVATE + NEVER) == {False}


def test_what_is_named_may_be_called_and_nothing_else() -> None:
    assert permits("10.1.0.0/16, fd00::/8", ("10.1.2.3", "fd00::7", "::ffff:10.1.2.3")) == {True}
    assert permits("10.1.0.0/16, fd00::/8", ("10.2.0.1", "127.0.0.1", "fe80::1")) == {False}
    assert permits("192.168.7.7", ("192.168.7.7",)) == {True}
    assert permits("ERP.example. 10.0.0.0/8", ("192.168.7.7", "127.0.0.1")) == {True}
    assert permits("erp.example", ("192.168.7.7",), host="other.example") == {False}


def test_where_clouds_give_credentials_away_is_never_called() -> None:
    assert permits("0.0.0.0/0 ::/0 erp.example", PUBLIC) == {True}
    assert permits("0.0.0.0/0 ::/0 erp.example", NEVER) == {False}


def test_without_encryption_named_networks_only() -> None:
    assert permits("", PUBLIC + PRIVATE + NEVER, encrypted=False) == {False}
    assert permits("10.1.0.0/16 127.0.0.0/8 8.8.8.0/24", ("10.1.2.3", "127.0.0.1", "8.8.8.8"), encrypted=False) == {
        True
    }
    assert permits("10.1.0.0/16 8.8.8.0/24", ("10.2.0.1", "8.8.4.4", *NEVER), encrypted=False) == {False}
    assert permits("0.0.0.0/0 ::/0", NEVER, encrypted=False) == {False}


def test_a_named_host_may_be_called_without_encryption_while_its_address_is_private() -> None:
    assert permits("erp.example", ("192.168.7.7", "127.0.0.1", "fd00::7"), encrypted=False) == {True}
    assert permits("erp.example", PUBLIC, encrypted=False) == {False}
    assert permits("erp.example", ("192.168.7.7",), host="other.example", encrypted=False) == {False}


def test_a_demo_adds_this_machine_and_keeps_what_was_named() -> None:
    text = Networks.parse("10.1.0.0/16 erp.local").with_loopback()
    assert permits(text, ("127.0.0.1", "::1", "10.1.0.1")) == {True}
    assert Networks.parse(text).hosts == {"erp.local"}


@pytest.mark.parametrize(
    ("text", "said"),
    [("10.1.0.1/16", "write 10.1.0.0/16"), ("10.0.0.0/33", "neither"), ("300.1.1.1", "neither"), ("-x", "neither")],
)
def test_a_wrong_word_stops_the_start_and_is_named(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({"CONNECT_ALLOWED_NETWORKS": text})
    assert "CONNECT_ALLOWED_NETWORKS" in str(caught.value)
    assert said in str(caught.value)


def test_every_key_of_the_ring_must_be_long_enough() -> None:
    ring = "a-key-of-the-tests-1\na-key-of-the-tests-2"
    assert load({"CONNECT_SECRET_KEY": ring}).secret() == ring
    for wrong in ("short", "a-key-of-the-tests-1\nshort"):
        with pytest.raises(SettingsError, match="16") as caught:
            load({"CONNECT_SECRET_KEY": wrong})
        assert "short" not in str(caught.value)
