"""Readable names: never two alike, the owner's own word first, and an alias for programs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core.access import Role, acting
from lib.core.errors import BadInput, Conflict, Forbidden
from lib.core.settings import settings
from lib.engines import titles
from lib.engines.base import Model, State
from lib.engines.titles import distinct, meant, rename, titled


def model(name: str, title: str = "", quantization: str = "", engine: str = "llamacpp") -> Model:
    return Model(
        name=name, engine=engine, state=State.STOPPED, title=title, quantization=quantization
    )


SMALL = model("qwen-q4", "Qwen 0.5B", "Q4_K_M")
LARGE = model("qwen-q8", "Qwen 0.5B", "Q8_0")
OTHERS = model("qwen:0.5b", "Qwen 0.5B", "Q4_K_M", "ollama")
PLAIN = model("plain")


def called(*models: Model) -> list[str]:
    return [one.called for one in titled(models, is_all=True)]


def test_two_of_one_name_are_called_by_their_quantization_too() -> None:
    assert called(SMALL, PLAIN) == ["Qwen 0.5B", "plain"]
    assert called(SMALL, LARGE) == ["Qwen 0.5B · Q4_K_M", "Qwen 0.5B · Q8_0"]


def test_and_by_their_engine_where_that_is_the_same() -> None:
    assert called(SMALL, OTHERS) == [
        "Qwen 0.5B · Q4_K_M · llamacpp",
        "Qwen 0.5B · Q4_K_M · ollama",
    ]


def test_a_name_that_is_another_models_exact_one_gives_way() -> None:
    assert called(model("a", "plain", "Q8_0"), PLAIN) == ["plain · Q8_0", "plain"]


def test_the_owners_own_word_goes_before() -> None:
    rename(SMALL, "Qwen 0.5B", [SMALL])
    assert called(SMALL, LARGE) == ["Qwen 0.5B", "Qwen 0.5B · Q8_0"]


def test_a_name_is_kept_and_given_back() -> None:
    rename(SMALL, "  My   helper ", [SMALL, PLAIN])
    assert titles.given(SMALL.key) == "My helper"
    assert called(SMALL, PLAIN) == ["My helper", "plain"]
    assert "My helper" in settings().titles.read_text()
    assert titles.of("llamacpp", "qwen-q4") == titles.of_name("qwen-q4") == "My helper"
    rename(SMALL, "", [SMALL, PLAIN])
    assert called(SMALL, PLAIN) == ["Qwen 0.5B", "plain"]
    titles.forget(SMALL.key)


@pytest.mark.parametrize("title", ["plain", "PLAIN", "Qwen-0.5B", "Qwen 0.5B", "qwen-q8"])
def test_what_another_is_called_is_refused(title: str) -> None:
    with pytest.raises(Conflict, match="Another model is called"):
        rename(PLAIN.model_copy(update={"name": "mine"}), title, [PLAIN, LARGE])


@pytest.mark.parametrize("title", ["x" * 81, "a\u202eb", "tab\x07"])
def test_what_cannot_be_read_is_no_name(title: str) -> None:
    with pytest.raises(BadInput, match="at most 80"):
        rename(PLAIN, title, [PLAIN])


def test_a_guest_renames_nothing() -> None:
    with acting(Role.GUEST), pytest.raises(Forbidden):
        rename(PLAIN, "Mine", [PLAIN])
    assert not settings().titles.exists()


def test_programs_may_ask_by_it_without_minding_case_and_spaces() -> None:
    found = titled([SMALL, PLAIN], is_all=True)
    for name in ("Qwen 0.5B", "qwen 0.5b", "QWEN-0.5B"):
        assert meant(name, found) == "qwen-q4"
    assert meant("plain", found) == "", "that is an exact name"
    assert meant("", found) == meant("nobody", found) == ""


def test_what_would_mean_two_means_none() -> None:
    assert meant("Qwen 0.5B", [SMALL, LARGE]) == ""


def test_a_look_at_one_engine_calls_its_models_as_the_look_at_all_did() -> None:
    titled([SMALL, OTHERS], is_all=True)
    [one] = titled([OTHERS], is_all=False)
    assert one.called == "Qwen 0.5B · Q4_K_M · ollama"


NAMES = st.sampled_from(["a", "b", "c", "A B", "a-b", "B"])


@given(
    made=st.lists(
        st.tuples(st.sampled_from("abcdef"), NAMES, st.sampled_from(["", "Q4", "Q8"])),
        max_size=6,
        unique_by=lambda one: one[0],
    )
)
def test_no_two_models_are_ever_called_alike(made: list[tuple[str, str, str]]) -> None:
    models = [model(name, title, quantization) for name, title, quantization in made]
    found = distinct(models, {})
    assert len({titles._alike(title) for title in found.values()}) == len(models)
