import pytest

from lib.machine import bandwidth
from lib.machine.bandwidth import read_bandwidth


@pytest.mark.parametrize("threads", [None, 1, 3])
def test_the_bandwidth_is_that_of_a_computer(threads: int | None) -> None:
    assert 10**8 < read_bandwidth(threads) < 10**13


def test_a_measurement_has_at_least_one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bandwidth, "MEASURE_SECONDS", 0.0)
    assert read_bandwidth(1) > 0
