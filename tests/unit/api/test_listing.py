"""A row of /v1/models, by the names that clients look for."""

from typing import Any

import pytest

from lib.api import listing
from lib.core.errors import NotFound
from lib.engines import variants
from lib.engines.base import Model, StartOptions, State
from lib.engines.variants import Variants
from lib.fit.kinds import Task

STOPPED = Model(
    name="org/name:latest", engine="llamacpp", state=State.STOPPED, context_trained=131_072
)


def row(model: Model, **settings: Variants) -> dict[str, Any]:
    return listing.described(model, settings)


def test_a_stopped_model_has_the_context_that_it_will_be_loaded_with() -> None:
    assert row(STOPPED)["context_length"] == 8_192
    chosen = Variants(chosen="Long", named={"Long": StartOptions(context=65_536)})
    told = listing.described(STOPPED, {STOPPED.key: chosen})
    assert told["context_length"] == told["context_window"] == told["max_model_len"] == 65_536
    assert told["meta"]["n_ctx"] == 65_536
    assert told["meta"]["n_ctx_train"] == 131_072


def test_a_running_model_has_the_context_that_it_is_loaded_with() -> None:
    running = STOPPED.model_copy(update={"state": State.READY, "context": 2_048})
    assert (row(running)["context_length"], row(running)["state"]) == (2_048, "running")


def test_what_nobody_knows_is_null() -> None:
    unknown = Model(name="a", engine="ollama", state=State.STOPPED)
    told = row(unknown)
    assert (told["context_length"], told["tools"], told["reasoning"]) == (None, None, None)


def test_what_it_reads_and_can_do_is_told() -> None:
    able = {"can_see": True, "calls_tools": True, "thinks": True, "state": State.STARTING}
    told = row(STOPPED.model_copy(update=able))
    assert told["modalities"] == {"input": ["text", "image"], "output": ["text"]}
    assert told["architecture"]["input_modalities"] == ["text", "image"]
    assert (told["tools"], told["reasoning"], told["state"]) == (True, True, "loading")


def test_one_that_writes_nothing_says_what_it_does() -> None:
    told = row(STOPPED.model_copy(update={"task": Task.EMBEDDING}))
    assert (told["task"], told["modalities"]["output"]) == ("embeddings", [])
    assert told["context_length"] == 2_048


def test_only_what_may_be_used_is_listed_and_found(monkeypatch: pytest.MonkeyPatch) -> None:
    models = [STOPPED, STOPPED.model_copy(update={"name": "other"})]
    monkeypatch.setattr(listing, "all_models", lambda: models)

    def allowed(model: Model) -> bool:
        return model.name == "other"

    assert [each["id"] for each in listing.every(allowed)["data"]] == ["other"]
    assert listing.one("org/name:latest")["id"] == "org/name:latest"
    with pytest.raises(NotFound):
        listing.one("org/name:latest", allowed)


def test_two_hundred_models_are_told_with_one_look_at_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = [STOPPED.model_copy(update={"name": f"m{number}"}) for number in range(200)]
    looks = []
    monkeypatch.setattr(listing, "all_models", lambda: models)

    def every() -> dict[str, Variants]:
        looks.append(1)
        return {}

    monkeypatch.setattr(variants, "every", every)
    assert len(listing.every()["data"]) == 200
    assert len(looks) == 1


def test_one_that_failed_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = STOPPED.model_copy(update={"state": State.FAILED})
    monkeypatch.setattr(listing, "all_models", lambda: [failed])
    assert listing.every()["data"] == []
