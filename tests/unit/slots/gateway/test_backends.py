import pytest

from lib.core.errors import BadInput
from lib.slots.gateway.backends import Backend, named


def backend(model: str, address: str = "http://10.0.0.2:8000/v1", **more: str) -> Backend:
    return Backend(model=model, address=address, **more)


def names(*backends: Backend) -> list[str]:
    return [one.name for one in named(backends)]


def test_clients_call_a_model_by_its_name_without_its_organisation() -> None:
    assert names(backend("acme/Anvil-8B"), backend("qwen:latest")) == ["Anvil-8B", "qwen:latest"]


def test_the_same_model_on_two_servers_is_one_name_that_is_balanced() -> None:
    both = named([backend("anvil"), backend("anvil", "http://10.0.0.3:8000")])
    assert [(one.name, one.is_balanced) for one in both] == [("anvil", True), ("anvil", True)]


def test_two_models_that_differ_in_their_organisation_alone_are_not_mixed() -> None:
    assert names(backend("acme/anvil"), backend("other/anvil")) == ["acme--anvil", "other--anvil"]


def test_a_given_name_makes_two_differently_named_servers_one_model() -> None:
    both = named([backend("anvil"), backend("acme/Anvil-8B", name="anvil")])
    assert [(one.name, one.is_balanced) for one in both] == [("anvil", True), ("anvil", True)]


@pytest.mark.parametrize(
    "written", ["http://a:1", "http://a:1/", "http://a:1/v1", "http://a:1/v1/"]
)
def test_an_address_ends_in_v1_however_it_was_written(written: str) -> None:
    assert backend("m", written).address == "http://a:1/v1"


@pytest.mark.parametrize(
    "written", ["", "a:1", "file:///etc/passwd", "http://u:p@a/v1", "http://a/v1?x=1", "http://a b"]
)
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(BadInput, match="not the address of a server"):
        backend("m", written)


@pytest.mark.parametrize("written", ["lower", "A-B", "sk-secret", "A" * 65])
def test_a_key_is_named_by_its_variable_and_never_written_out(written: str) -> None:
    with pytest.raises(BadInput, match="not the name of a variable"):
        backend("m", key_variable=written)
