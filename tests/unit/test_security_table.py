"""docs/security.md: the attacks, and the tests that try them."""

import re

import pytest

from tests.conftest import ROOT

TABLE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = [line for line in TABLE.splitlines() if line.startswith("| ")][1:]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TABLE)))


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda part: part.rpartition("/")[2][:40])
def test_a_test_that_the_table_names_exists(path: str, name: str) -> None:
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


def test_every_attack_has_what_stops_it_and_a_test() -> None:
    assert len(ROWS) > 20
    for row in ROWS:
        attack, stopped_by, tried_by = (cell.strip() for cell in row.strip("| ").split(" | "))
        assert attack
        assert stopped_by
        assert tried_by.count("::") >= 1


def test_every_file_of_attacks_is_in_the_table() -> None:
    files = {
        f"tests/api/attacks/{path.name}" for path in (ROOT / "tests/api/attacks").glob("test_*")
    }
    assert files <= {path for path, _ in NAMED}
