"""Which proxy a request goes through, for all the ways in which that is written."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core.proxies import is_exempt, proxy_for, variable_of, without_secret

PROXY = "http://proxy.example:3128"
HUB = ("huggingface.co", 443)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)


@pytest.mark.parametrize(
    ("entry", "host", "port", "expected"),
    [
        ("[::1]", "::1", 443, True),
        ("::1", "::1", 443, True),
        ("[::1]:8080", "::1", 8080, True),
        ("[::1]:8080", "::1", 443, False),
        ("0:0:0:0:0:0:0:1", "::1", 80, True),
        ("fd07:b51a:cc66:f0::/64", "fd07:b51a:cc66:f0::5", 443, True),
        ("fd07:b51a:cc66:f0::/64", "fd07:b51a:cc66:f1::5", 443, False),
        ("[fd07::]/16", "huggingface.co", 443, False),
        ("fe80::1%eth0", "fe80::1", 80, True),
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.0.0.0/8", "11.1.2.3", 443, False),
        ("10.1.2.3/8", "10.200.0.1", 80, True),
        ("192.168.1.7", "192.168.1.7", 80, True),
        ("192.168.1.7:8080", "192.168.1.7", 80, False),
        ("huggingface.co", *HUB, True),
        (".huggingface.co", *HUB, True),
        ("*.huggingface.co", *HUB, True),
        (".co", *HUB, True),
        ("huggingface.co:443", *HUB, True),
        ("huggingface.co:80", *HUB, False),
        ("https://huggingface.co", *HUB, True),
        ("HuggingFace.CO", *HUB, True),
        ("face.co", *HUB, False),
        ("hf.co", *HUB, False),
        ("*", *HUB, True),
        ("localhost", "localhost", 80, True),
        ("localhost", *HUB, False),
        ("http://", *HUB, False),
        ("[", *HUB, False),
        ("[::1", "::1", 80, True),
        ("1.2.3.4/99", "1.2.3.4", 80, False),
        ("::/200", "::1", 80, False),
        (":", *HUB, False),
        (".", *HUB, False),
        ("", *HUB, False),
    ],
)
def test_an_entry_is_obeyed_or_passed_over(
    entry: str, host: str, port: int, expected: bool
) -> None:
    assert is_exempt(host, port, [entry]) is expected
    assert is_exempt(host, port, ["nonsense/]", entry]) is expected


@given(st.text(max_size=40), st.text(max_size=20), st.integers(0, 65_535))
def test_no_entry_makes_a_call_fail(entry: str, host: str, port: int) -> None:
    assert is_exempt(host, port, [entry]) in (True, False)


@given(st.ip_addresses())
def test_every_address_is_meant_by_itself(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    assert is_exempt(str(address), 443, [str(address)])
    assert is_exempt(str(address), 443, [f"{address}/{address.max_prefixlen}"])


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ""),
        ({"https_proxy": PROXY}, PROXY),
        ({"HTTPS_PROXY": PROXY}, PROXY),
        ({"ALL_PROXY": PROXY}, PROXY),
        ({"HTTP_PROXY": PROXY}, ""),
        ({"HTTPS_PROXY": "proxy.example:3128"}, PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "localhost,[::1]"}, PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "fd07:b51a:cc66:f0::/64"}, PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "[::1], huggingface.co"}, ""),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "[::1] .huggingface.co"}, ""),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, ""),
    ],
)
def test_the_environment_names_the_proxy(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert proxy_for("https", "huggingface.co", None) == expected


def test_a_proxy_is_told_by_its_variable_and_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://me:secret@proxy.example:1080")
    proxy = proxy_for("https", "huggingface.co", None)
    assert variable_of(proxy) == "HTTPS_PROXY"
    assert without_secret(proxy) == "socks5://proxy.example:1080"
    assert "secret" not in without_secret("socks5://me:secret@[broken")
