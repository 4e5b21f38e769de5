from pathlib import Path

import pytest

from tests.support.blueprints import MODELS
from tests.support.plans import LOADS, blueprint_file, recorded


@pytest.mark.parametrize("name", MODELS)
def test_the_estimate_is_close_to_the_plan_the_engine_had(name: str, tmp_path: Path) -> None:
    comparisons = recorded(name, blueprint_file(name, tmp_path))
    assert len(comparisons) == len(LOADS)
    assert [one for one in comparisons if not one.is_close] == []


@pytest.mark.parametrize("name", MODELS)
def test_the_working_memory_is_known_to_a_few_mib(name: str, tmp_path: Path) -> None:
    for one in recorded(name, blueprint_file(name, tmp_path)):
        most = 24 * 2**20 + one.needed // 2_000
        assert abs(one.estimate.compute - one.engine.compute) < most, one.load


@pytest.mark.parametrize("name", MODELS)
def test_the_cache_is_exact(name: str, tmp_path: Path) -> None:
    for one in recorded(name, blueprint_file(name, tmp_path)):
        assert abs(one.estimate.context - one.engine.context) <= 2**20  # what the engine rounds off
