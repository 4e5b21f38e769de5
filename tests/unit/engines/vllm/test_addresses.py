"""Servers on other machines: which addresses are kept, and what goes with them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import dashboard
from lib.core import access
from lib.core.access import Role
from lib.core.errors import BadInput, BerthError, Conflict, Forbidden, NotFound
from lib.core.preferences import preferences
from lib.core.settings import settings
from lib.engines.vllm import addresses
from lib.engines.vllm.addresses import address_name, base_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://10.0.0.5:8000", "http://10.0.0.5:8000/v1"),
        (" http://10.0.0.5:8000/v1/ ", "http://10.0.0.5:8000/v1"),
        ("HTTP://Lab:8000/", "http://lab:8000/v1"),
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
        ("http://[fd00::5]:8000", "http://[fd00::5]:8000/v1"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
        ("http://gpu.local", "http://gpu.local/v1"),
        ("http://100.100.1.2:8000", "http://100.100.1.2:8000/v1"),
        ("http://box.tail1234.ts.net:8000", "http://box.tail1234.ts.net:8000/v1"),
        ("https://api.example.com", "https://api.example.com/v1"),
        ("https://example.com/openai/v1", "https://example.com/openai/v1"),
        ("https://8.8.8.8/v1", "https://8.8.8.8/v1"),
        ("http://10.0.0.5/../v1", "http://10.0.0.5/v1"),
    ],
)
def test_an_address_is_kept_in_one_form(text: str, url: str) -> None:
    assert base_url(text) == url


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10.0.0.5:8000", "begins with http"),
        ("", "begins with http"),
        ("ftp://10.0.0.5", "begins with http"),
        ("file:///etc/passwd", "begins with http"),
        ("http://", "begins with http"),
        ("http://me:secret@10.0.0.5", "no user name, password"),
        ("http://10.0.0.5/v1?key=secret", "no user name, password"),
        ("http://10.0.0.5/v1?", "no user name, password"),
        ("http://10.0.0.5/v1#x", "no user name, password"),
        ("http://10.0.0.5/a b", "not the path of an API"),
        ("http://10.0.0.5/%2e%2e/v1", "not the path of an API"),
        ("http://10.0.0.5:99999", "a port from 1 to 65535"),
        ("http://10.0.0.5:x", "This is not an address"),
        ("http://0.0.0.0:8000", "No server of yours answers"),
        ("http://169.254.169.254/latest", "No server of yours answers"),
        ("http://[fe80::1]:8000", "No server of yours answers"),
        ("http://224.0.0.1", "No server of yours answers"),
        ("http://8.8.8.8", "is on the internet"),
        ("http://api.example.com/v1", "is on the internet"),
        ("http://a..b", "is not the name of a host|is on the internet"),
    ],
)
def test_what_is_no_address_of_ones_own_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(BadInput, match=why) as refused:
        base_url(text)
    assert "secret" not in str(refused.value)


@given(st.text(max_size=300))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    for given_text in (text, f"http://{text}", f"https://10.0.0.1/{text}"):
        try:
            url = base_url(given_text)
        except BadInput:
            continue
        assert url.isascii() and " " not in url and "@" not in url


@pytest.mark.parametrize("name", ["", "a b", "-x", "slot-1", "x" * 33, "é", "../x", "a@b"])
def test_a_name_that_could_be_taken_for_something_else_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="is not a name for an address"):
        address_name(name)


def test_one_is_added_with_its_key_and_removed_with_it() -> None:
    added = addresses.add("Lab", "http://10.0.0.5:8000", " sk-secret-1234 ")
    assert (added.name, added.url, added.root) == (
        "lab", "http://10.0.0.5:8000/v1", "http://10.0.0.5:8000",
    )  # fmt: skip
    assert added.host == "10.0.0.5:8000"
    assert addresses.all_addresses() == [added]
    key = addresses.key_of("lab")
    assert key is not None and key.get_secret_value() == "sk-secret-1234"
    assert oct(addresses.key_file("lab").stat().st_mode)[-3:] == "600"
    assert "secret" not in settings().preferences.read_text()
    addresses.remove("lab")
    assert addresses.all_addresses() == []
    assert addresses.key_of("lab") is None


def test_a_name_stands_for_one_server() -> None:
    addresses.add("lab", "http://10.0.0.5:8000", "k1")
    with pytest.raises(Conflict, match="an address “lab” already"):
        addresses.add("LAB", "http://10.0.0.6:8000", "k2")
    key = addresses.key_of("lab")
    assert key is not None and key.get_secret_value() == "k1"


def test_a_new_server_never_gets_the_key_of_an_old_one_of_its_name() -> None:
    addresses.add("lab", "http://10.0.0.5:8000", "old")
    settings().preferences.unlink()  # as after a restored settings file
    addresses.add("lab", "http://10.0.0.6:8000")
    assert addresses.key_of("lab") is None


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "ключ", "x" * 5_000])
def test_what_is_no_key_is_refused_and_nothing_is_kept(key: str) -> None:
    with pytest.raises(BadInput, match="cannot be a key"):
        addresses.add("lab", "http://10.0.0.5:8000", key)
    assert preferences().engine_addresses == []


def test_only_the_owner_changes_them() -> None:
    with access.acting(Role.GUEST, "somebody"):
        with pytest.raises(Forbidden):
            addresses.add("lab", "http://10.0.0.5:8000")
        with pytest.raises(Forbidden):
            addresses.remove("lab")


def test_removing_what_is_not_there_says_so() -> None:
    with pytest.raises(NotFound, match="There is no address “lab”"):
        addresses.remove("lab")


def test_berth_itself_is_no_server_elsewhere() -> None:
    dashboard.announce(8501)
    for host in ("127.0.0.1", "localhost", "[::1]"):
        with pytest.raises(BadInput, match="is the address of Berth itself"):
            addresses.add("me", f"http://{host}:8501")


def test_one_that_was_written_wrongly_into_the_file_is_left_out_and_told() -> None:
    settings().home.mkdir(parents=True)
    settings().preferences.write_text(
        '[[engine_addresses]]\nname = "lab"\nurl = "http://10.0.0.5:8000/v1"\n'
        '[[engine_addresses]]\nname = "bad"\nurl = "http://me:pw@host"\n'
    )
    assert [address.name for address in addresses.all_addresses()] == ["lab"]
    [problem] = addresses.problems()
    assert problem.startswith("The address “bad” is left out: An address has no user name")
    assert "pw" not in problem


def test_a_server_whose_api_is_not_below_v1_has_no_known_root() -> None:
    added = addresses.add("other", "https://example.com/v1beta/openai")
    assert added.root == ""


@given(st.text(max_size=100))
def test_any_name_is_one_or_refused(name: str) -> None:
    try:
        assert address_name(name).isascii()
    except BerthError as error:
        assert isinstance(error, BadInput)
