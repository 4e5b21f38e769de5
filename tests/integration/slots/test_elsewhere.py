"""Equal models on other machines, asked for over HTTP from small real servers."""

from collections.abc import Iterator

import pytest

from lib.engines.vllm import addresses
from lib.slots.gateway import elsewhere
from tests.support.fake_engine import Running, running_fake

KEY = "key-of-the-lab"


@pytest.fixture(autouse=True)
def asked_afresh() -> None:
    """What was found is kept for a program's whole run."""
    elsewhere.look.cache_clear()


@pytest.fixture
def lab() -> Iterator[Running]:
    """A server elsewhere that has acme/anvil."""
    with running_fake("--model", "acme/anvil", "--key", KEY) as fake:
        yield fake


def test_a_server_that_has_the_slots_model_shares_its_name(lab: Running) -> None:
    addresses.add("lab-2", lab.url, KEY)
    found = elsewhere.look(frozenset({"anvil"}))
    (backend,) = found.backends
    assert (backend.model, backend.name) == ("acme/anvil", "anvil")
    assert backend.address == f"{lab.url}/v1"
    assert backend.key_variable == "BERTH_LAB_2_KEY"
    assert found.keys == {"BERTH_LAB_2_KEY": KEY}
    assert found.left_out == ()


def test_what_else_it_has_is_not_taken(lab: Running) -> None:
    addresses.add("lab-2", lab.url, KEY)
    assert elsewhere.look(frozenset({"bellows"})) == elsewhere.Elsewhere()


def test_a_server_that_refuses_is_left_out_and_named(lab: Running) -> None:
    addresses.add("lab-2", lab.url, "wrong")
    found = elsewhere.look(frozenset({"anvil"}))
    assert found.backends == ()
    assert "“lab-2” is left out: The engine answered 401" in found.left_out[0]


def test_a_server_that_does_not_answer_is_left_out_and_named() -> None:
    addresses.add("lab-2", "http://127.0.0.1:1")
    (said,) = elsewhere.look(frozenset({"anvil"})).left_out
    assert said.startswith("“lab-2” is left out: Nothing answers")


def test_an_address_that_litellm_cannot_ask_is_left_out_and_named() -> None:
    addresses.add("odd", "http://127.0.0.1:1/api")
    (said,) = elsewhere.look(frozenset({"anvil"})).left_out
    assert "end in /v1" in said


def test_a_key_that_a_service_would_not_get_whole_is_left_out_and_not_told() -> None:
    addresses.add("odd", "http://127.0.0.1:1", 'a"b\\c')
    (said,) = elsewhere.look(frozenset({"anvil"})).left_out
    assert "its key has characters" in said
    assert 'a"b' not in said


def test_without_a_model_on_a_slot_nobody_is_asked() -> None:
    addresses.add("lab-2", "http://127.0.0.1:1")
    assert elsewhere.look(frozenset()) == elsewhere.Elsewhere()
