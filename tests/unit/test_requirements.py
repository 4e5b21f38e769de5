"""The pins: complete, exact, and what this environment really has."""

from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

LISTS = pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])


@LISTS
def test_every_package_is_pinned_to_one_version(name: str) -> None:
    for pin in _pins(name):
        assert [s.operator for s in pin.specifier] == ["=="], f"{pin} in {name}"
        assert "*" not in str(pin.specifier)


@LISTS
def test_no_package_is_listed_twice(name: str) -> None:
    names = [canonicalize_name(pin.name) for pin in _pins(name)]
    assert len(names) == len(set(names))


@LISTS
def test_whatever_a_package_needs_is_pinned_too(name: str) -> None:
    wanted = [pin for pin in _pins(name) if pin.marker is None or pin.marker.evaluate()]
    pinned = {canonicalize_name(pin.name) for pin in wanted}
    for pin in wanted:
        missing = _needs(pin.name) - pinned
        assert not missing, f"{pin.name} needs {missing}, which {name} does not pin"


@LISTS
def test_the_tests_run_with_the_pinned_versions(name: str) -> None:
    for pin in _pins(name):
        if pin.marker is None or pin.marker.evaluate():
            assert metadata.version(pin.name) in pin.specifier


def _pins(name: str) -> list[Requirement]:
    """The list, with those that it includes."""
    found: list[Requirement] = []
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            found += _pins(line.removeprefix("-r "))
        elif line and not line.startswith("#"):
            found.append(Requirement(line))
    return found


def _needs(name: str) -> set[str]:
    needs = map(Requirement, metadata.requires(name) or [])
    return {
        canonicalize_name(need.name)
        for need in needs
        if need.marker is None or need.marker.evaluate({"extra": ""})
    }
