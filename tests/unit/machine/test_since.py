"""Since when a program runs."""

import psutil

from lib.machine.since import of_program


def test_the_oldest_process_of_a_name_counts() -> None:
    me = psutil.Process()
    found = of_program(me.name(), "no such program")
    assert found is not None and found <= me.create_time()
    assert of_program("no such program") is None
