"""One model on several servers: what each of them is told."""

from lib.slots.nodes import nodes, text
from lib.slots.request import nodes_wished
from lib.slots.unit_text import unit_text
from tests.unit.slots.test_unit_text import service

WANTED = nodes_wished(count=3, addresses=("10.0.0.1", "10.0.0.2", "10.0.0.3"), interface="eno1")


def test_the_first_address_leads() -> None:
    machines = nodes(WANTED)
    assert [(m.rank, m.address) for m in machines] == [
        (0, "10.0.0.1"),
        (1, "10.0.0.2"),
        (2, "10.0.0.3"),
    ]
    assert {m.head for m in machines} == {"10.0.0.1"}


def test_it_says_what_each_needs_and_in_which_order_they_restart() -> None:
    told = text(service(tensor_parallel=8), nodes(WANTED))
    for words in (
        "8 cards each",
        "node-0  10.0.0.1  the head",
        "not encrypted",
        "port 29501",
        "network card eno1",
        "127.0.1.1",
        "the same version on each",
        "the same files of the model",
        "VLLM_API_KEY",
        "They restart together or not at all",
        "stop the head (10.0.0.1), then 10.0.0.2 10.0.0.3",
        "start 10.0.0.2 10.0.0.3, then the head",
    ):
        assert words in told


def test_every_node_has_a_unit_of_its_own_and_no_ray() -> None:
    units = [unit_text(service(cards=()), node) for node in nodes(WANTED)]
    assert len(set(units)) == 3
    assert all("ray" not in unit.lower().replace("array", "") for unit in units)
    assert sum("--headless" in unit for unit in units) == 2
    assert [f"VLLM_HOST_IP=10.0.0.{n}" in unit for n, unit in enumerate(units, 1)] == [True] * 3
