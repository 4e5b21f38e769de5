"""Models that read and write nothing, on the real engine: vectors and ranks."""

from pathlib import Path

import pytest

from lib.core.errors import EngineError
from lib.core.http import request_json
from lib.deploy.smoke import embedded, ranked
from lib.engines import find_model
from lib.engines.base import ChatOptions, Message, StartOptions, Upstream
from lib.engines.llamacpp import ENGINE
from lib.engines.openai_api import authorization
from lib.fit.kinds import Task
from tests.support.tiny_encoder import WIDTH, write_encoder


def started(models: Path, pooling: int, context: int = 512) -> Upstream:
    write_encoder(models / "reader.gguf", pooling=pooling, context=context)
    ENGINE.start("reader", StartOptions())
    found = ENGINE.upstream("reader")
    assert found
    return found


def test_a_vector_is_made_of_a_text(models: Path) -> None:
    assert embedded(started(models, 2)) == WIDTH
    assert find_model("reader").task == Task.EMBEDDING


def test_texts_are_ranked(models: Path) -> None:
    assert ranked(started(models, 4)) == 2
    assert find_model("reader").task == Task.RANKING


def test_a_text_as_long_as_the_context_is_read_whole(models: Path) -> None:
    to = started(models, 1, context=1_500)
    asked = {"model": to.model, "input": "a b c d " * 350}
    said = request_json("POST", f"{to.base_url}/embeddings", asked, authorization(to.key))
    assert len(said["data"][0]["embedding"]) == WIDTH
    assert said["usage"]["prompt_tokens"] > 1_400


@pytest.mark.parametrize("pooling", [2, 4])
def test_who_asks_it_to_write_is_told_what_it_does(models: Path, pooling: int) -> None:
    started(models, pooling)
    hello = [Message(role="user", content="Hello")]
    for stream in (
        ENGINE.chat("reader", hello, ChatOptions()),
        ENGINE.complete("reader", "Hello", ChatOptions()),
    ):
        with pytest.raises(EngineError, match="writes none") as caught:
            next(stream)
        assert "/v1/" in caught.value.fix
