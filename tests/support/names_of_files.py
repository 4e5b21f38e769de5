"""What is listed of 330 names of files in 110 invented repositories, as a person expects it.

names_of_files.csv has a line for each file: what its header says it is (`holds`, in the words of
tests/support/by_products.py; `other` where it is no GGUF file), and either what it is listed as,
with its quantization, or why it is not listed.
"""

import csv
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_suffix(".csv")


class Listed(NamedTuple):
    """A file of a repository, and what is to be listed of it."""

    repository: str
    file: str
    bytes: int
    holds: str
    listed_as: str  # "" for a file that is not listed
    quantization: str
    not_listed: str  # why; "" for one that is

    @property
    def is_model(self) -> bool:
        """Does its header say so?"""
        return self.holds == "model"


def names_of_files() -> dict[str, list[Listed]]:
    """All of the table, by the repository."""
    found: dict[str, list[Listed]] = {}
    with TABLE.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    for repository, name, size, *told in rows:
        found.setdefault(repository, []).append(Listed(repository, name, int(size), *told))
    return found
