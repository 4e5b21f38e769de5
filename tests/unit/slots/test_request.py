"""What may be asked for on a slot, and the words in which it is refused."""

import pytest

from lib.core.errors import BadInput
from lib.slots.request import HEAD_PORT, SlotRequest, nodes_wished, wished
from tests.support.expect import expect_failure

CARD = "GPU-b91cf976-48e1-56e5-a000-e7b557f2c8d5"
OTHER_CARD = "GPU-e1e277f2-a1ac-5011-b95c-684921c03c30"


def test_what_is_not_said_is_chosen() -> None:
    request = wished(model="acme/Anvil-8B", slot="0")
    assert (request.slot, request.context, request.name) == (0, None, "Anvil-8B")
    assert (request.tensor_parallel, request.cards) == (1, ())
    assert request.with_gateway
    assert request.with_nginx
    assert request.resource == "slot:0"


@pytest.mark.parametrize("text", ["auto", "AUTO", "", None, " auto "])
def test_auto_is_no_number(text: str | None) -> None:
    assert wished(model="acme/A", slot=0, context=text or "auto").context is None


def test_the_script_gets_all_of_it_back() -> None:
    request = wished(
        model="acme/Anvil-8B",
        slot=3,
        context="16384",
        served_name="anvil",
        tensor_parallel=2,
        cards=(CARD, OTHER_CARD),
        quantization="fp8_per_tensor",
        kv_cache="fp8",
        max_num_seqs=16,
        is_text_only=True,
        with_gateway=False,
        with_nginx=False,
    )
    words = request.arguments()
    assert words[:3] == ["acme/Anvil-8B", "3", "--yes"]
    for flag, value in (
        ("--max-model-len", "16384"),
        ("--served-name", "anvil"),
        ("--tensor-parallel", "2"),
        ("--cards", f"{CARD},{OTHER_CARD}"),
        ("--quantization", "fp8_per_tensor"),
        ("--kv-cache-dtype", "fp8"),
        ("--max-num-seqs", "16"),
    ):
        assert words[words.index(flag) + 1] == value
    assert {"--text-only", "--without-gateway", "--without-nginx"} <= set(words)
    assert SlotRequest.model_validate(request.model_dump(mode="json")) == request


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"slot": "x"}, "“x” is not a slot"),
        ({"slot": "-1"}, "“-1” is not a slot"),
        ({"slot": "99"}, "There is no slot 99"),
        ({"slot": "1.5"}, "is not a slot"),
        ({"slot": "٣"}, "is not a slot"),
        ({"context": "12"}, "“12” is not a context length"),
        ({"context": "1e5"}, "is not a context length"),
        ({"context": "99999999"}, "is not a context length"),
        ({"served_name": "a\nb"}, "is not a model name"),
        ({"served_name": "../x"}, "is not a model name"),
        ({"model": "gpt2"}, "is not a repository name"),
        ({"cards": ("GPU-1",)}, "is not the UUID of a card"),
        ({"cards": (f"MIG-{CARD[4:]}",)}, "divided card"),
        ({"cards": (CARD, CARD), "tensor_parallel": 2}, "named twice"),
        ({"cards": (CARD, OTHER_CARD)}, "2 cards are named"),
        ({"tensor_parallel": 65}, "tensor_parallel"),
        ({"max_num_seqs": 0}, "max_num_seqs"),
        ({"quantization": "awq"}, "quantization"),
        ({"kv_cache": "int4"}, "kv_cache"),
    ],
)
def test_what_cannot_be_is_refused_in_words(fields: dict[str, object], said: str) -> None:
    error = expect_failure(
        "bad_input", lambda: wished(**{"model": "acme/A", "slot": "0", **fields})
    )
    assert said in error.message


def test_several_machines_need_an_address_each() -> None:
    nodes = nodes_wished(count=2, addresses=("10.0.0.1", "10.0.0.2"))
    assert nodes.port == HEAD_PORT
    for addresses, said in (
        ((), "2 different addresses, and 0"),
        (("10.0.0.1",), "and 1 are given"),
        (("10.0.0.1", "10.0.0.1"), "and 1 are given"),
        (("10.0.0.1", "node-b"), "“node-b” is not an IP address"),
        (("10.0.0.1", "127.0.1.1"), "no address that another machine could reach"),
        (("10.0.0.1", "0.0.0.0"), "no address that another machine could reach"),
    ):
        with pytest.raises(BadInput, match=said):
            nodes_wished(count=2, addresses=addresses)
    with pytest.raises(BadInput, match="is not a network card"):
        nodes_wished(count=2, addresses=("10.0.0.1", "10.0.0.2"), interface="eth0; x")
