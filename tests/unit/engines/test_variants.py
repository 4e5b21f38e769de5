"""Named sets of options of a model, and the way back to what is computed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.core.access import Role, acting
from lib.core.errors import BadInput, Forbidden, NotFound
from lib.core.settings import settings
from lib.engines import variants
from lib.engines.base import StartOptions
from lib.engines.variants import COMPUTED, Variants

KEY = "llamacpp/a"
LONG = StartOptions(context=32_768, kv_type="q8_0")


@pytest.fixture(autouse=True)
def _owner(home: object) -> Iterator[None]:
    with acting(Role.OWNER):
        yield


def test_what_nobody_set_is_computed() -> None:
    assert variants.of(KEY) == Variants()
    assert variants.resolved(KEY, StartOptions()) == StartOptions()


def test_what_is_saved_holds_for_every_load_until_the_computed_is_chosen_again() -> None:
    variants.save(KEY, "  Long   texts ", LONG)
    assert variants.of(KEY).chosen == "Long texts"
    assert variants.resolved(KEY, StartOptions()) == LONG
    assert variants.resolved("ollama/a", StartOptions()) == StartOptions()
    variants.choose(KEY, COMPUTED)
    assert variants.resolved(KEY, StartOptions()) == StartOptions()
    assert variants.of(KEY).named == {"Long texts": LONG}
    variants.choose(KEY, "Long texts")
    assert variants.resolved(KEY, StartOptions()) == LONG


def test_a_wish_goes_before_what_holds_and_what_it_leaves_open_does_not() -> None:
    variants.save(KEY, "Long", LONG)
    wish = StartOptions(context=4_096)
    assert variants.resolved(KEY, wish) == StartOptions(context=4_096, kv_type="q8_0")
    assert variants.resolved(KEY, StartOptions(context=None)) == LONG
    assert variants.resolved(KEY, StartOptions(kv_type="f16")).kv_type == "f16"


def test_one_that_is_deleted_holds_no_more() -> None:
    variants.save(KEY, "Long", LONG)
    variants.save(KEY, "Two at once", StartOptions(slots=2))
    variants.delete(KEY, "Long")
    assert variants.of(KEY).chosen == "Two at once"
    variants.delete(KEY, "Two at once")
    assert settings().variants.read_text() == "{}"
    assert variants.resolved(KEY, StartOptions()) == StartOptions()


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\x00b", "a\u202eb"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="letters"):
        variants.save(KEY, name, LONG)
    assert variants.of(KEY) == Variants()


def test_more_than_a_dozen_are_refused_and_none_is_lost() -> None:
    for number in range(variants.MOST):
        variants.save(KEY, f"number {number}", LONG)
    with pytest.raises(BadInput, match="at most 12"):
        variants.save(KEY, "one more", LONG)
    variants.save(KEY, "number 3", StartOptions(slots=3))
    assert len(variants.of(KEY).named) == variants.MOST
    assert variants.of(KEY).options.slots == 3


def test_what_does_not_exist_cannot_be_chosen() -> None:
    with pytest.raises(NotFound, match="no settings “gone”"):
        variants.choose(KEY, "gone")


def test_only_the_owner_sets_them() -> None:
    with acting(Role.GUEST), pytest.raises(Forbidden):
        variants.save(KEY, "Long", LONG)


@pytest.mark.parametrize("text", ["", "[]", '{"llamacpp/a": {"named": {"x": {"slots": 0}}}}'])
def test_a_file_that_cannot_be_read_is_told_of_and_kept(text: str) -> None:
    settings().home.mkdir(parents=True, exist_ok=True)
    settings().variants.write_text(text)
    assert variants.resolved(KEY, StartOptions()) == StartOptions()
    assert "loaded as computed" in variants.problem()
    variants.save(KEY, "Long", LONG)
    assert variants.problem() == ""
    assert settings().variants.with_suffix(".broken.json").read_text() == text


def test_of_several_who_save_at_once_nobody_is_lost() -> None:
    def save(number: int) -> None:
        with acting(Role.OWNER):
            variants.save(KEY, f"number {number}", LONG)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(save, range(10)))
    assert len(variants.of(KEY).named) == 10
