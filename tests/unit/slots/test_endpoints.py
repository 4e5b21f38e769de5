"""The addresses of a model on a slot."""

from lib.slots.endpoints import endpoints
from lib.slots.request import SlotRequest

REQUEST = SlotRequest(model="acme/Anvil-8B", slot=2)
READY = "Anvil-8B is ready at http://127.0.0.1:8100/v1"


def urls(request: SlotRequest, said: str) -> list[str]:
    return [way.url for way in endpoints(request, said)]


def test_with_all_there_are_three_ways() -> None:
    found = endpoints(REQUEST, READY)
    assert [way.url for way in found] == [
        "http://127.0.0.1:8100/v1",
        "http://127.0.0.1:8100/slot-2/v1",
        "http://127.0.0.1:8106/v1",
    ]
    assert found[0].key_file == "/etc/berth/litellm.env"
    assert found[2].key_file == "/etc/berth/slot-2.env"


def test_what_was_left_out_is_no_way() -> None:
    no_nginx = REQUEST.model_copy(update={"with_nginx": False})
    own = "Anvil-8B is ready at http://127.0.0.1:4000/v1"
    assert urls(no_nginx, own) == ["http://127.0.0.1:4000/v1", "http://127.0.0.1:8106/v1"]
    no_gateway = REQUEST.model_copy(update={"with_gateway": False})
    slot = "Anvil-8B is ready at http://127.0.0.1:8100/slot-2/v1"
    assert urls(no_gateway, slot) == ["http://127.0.0.1:8100/slot-2/v1", "http://127.0.0.1:8106/v1"]
    neither = no_gateway.model_copy(update={"with_nginx": False})
    assert urls(neither, "Anvil-8B is ready at http://127.0.0.1:8106/v1") == [
        "http://127.0.0.1:8106/v1"
    ]


def test_where_the_end_was_not_told_the_engine_is_known() -> None:
    assert urls(REQUEST, "") == ["http://127.0.0.1:8106/v1"]
