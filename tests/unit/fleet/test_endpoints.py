"""The texts to paste: what is in them for each kind of model. That they work is tried elsewhere."""

import json
import shlex

import pytest

from lib.engines.base import Model, State
from lib.fit.kinds import Task
from lib.fleet import endpoints
from lib.fleet.endpoints import CHAT, COMPLETION, EMBEDDING, RANKING, Way

WAY = Way("http://localhost:8501/v1", "tiny")
KEYED = WAY._replace(key_file="/home/o'neil/my berth/owner.key")


def model(**known: object) -> Model:
    return Model.model_validate(
        {"name": "tiny", "engine": "llamacpp", "state": State.READY, **known}
    )


def test_each_kind_of_model_is_asked_for_what_it_does() -> None:
    assert endpoints.call_of(model()) is CHAT
    assert endpoints.call_of(model(can_chat=False)) is COMPLETION
    assert endpoints.call_of(model(task=Task.EMBEDDING, can_chat=False)) is EMBEDDING
    assert endpoints.call_of(model(task=Task.RANKING)) is RANKING


@pytest.mark.parametrize("call", [CHAT, COMPLETION, EMBEDDING, RANKING], ids=lambda c: c.path)
def test_curl_sends_the_model_and_what_is_asked_as_json(call: endpoints.Call) -> None:
    words = shlex.split(endpoints.curl(call, WAY))
    assert words[1] == f"{WAY.base_url}/{call.path}"
    assert json.loads(words[-1]) == {"model": "tiny", **call.fields}
    assert "Authorization" not in endpoints.curl(call, WAY)


def test_a_key_is_named_by_its_file_whatever_that_is_called() -> None:
    quoted = shlex.quote(KEYED.key_file)
    assert f'"$(<{quoted})"' in endpoints.curl(CHAT, KEYED)
    assert f'"$(cat {quoted})"' in endpoints.environment(KEYED)
    for text in (endpoints.python(CHAT, KEYED), endpoints.javascript(CHAT, KEYED)):
        assert '"/home/o\'neil/my berth/owner.key"' in text


def test_without_a_key_no_file_is_read() -> None:
    made = (endpoints.curl, endpoints.python, endpoints.javascript)
    texts = [*(make(CHAT, WAY) for make in made), endpoints.environment(WAY)]
    assert not any("key)" in text or "read" in text for text in texts)


def test_python_is_python() -> None:
    for call in (CHAT, COMPLETION, EMBEDDING, RANKING):
        for way in (WAY, KEYED):
            compile(endpoints.python(call, way), "pasted", "exec")


def test_ollama_has_no_word_for_ranking() -> None:
    assert endpoints.ollama(RANKING, "http://127.0.0.1:11434", "tiny") == ""
