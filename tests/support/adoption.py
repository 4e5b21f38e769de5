"""Models that other tools have: looked for, named and used as a test wants them."""

from lib.fleet.adoption import Adoption, Row

SECONDS = 30


def looked(own: Adoption) -> list[Row]:
    """What a look finds."""
    own.look()
    return own.rows()


def names(rows: list[Row]) -> list[tuple[str, str]]:
    """The tool and the name of each."""
    return [(row.found.tool, row.found.name) for row in rows]


def use(own: Adoption, *paths: str) -> None:
    """Use them, without a failure."""
    assert own.use(paths).wait(SECONDS)
    assert [own.failure(path) for path in paths] == [None] * len(paths)
