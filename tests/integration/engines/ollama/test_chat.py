"""What a chat sends to Ollama, and what it makes of the answer."""

import base64

import pytest

from lib.core.errors import BadInput, EngineDown, NotFound
from lib.engines.base import ChatOptions, Message
from lib.engines.ollama import ENGINE
from tests.support.fake_ollama.registry import STARTER
from tests.support.ollama import SHORT, asked, faking, told
from tests.support.tiny_projector import data_uri, png

LOOKER = "looker:latest"
BEGUN = (*asked("Count from 1 to 50."), Message(role="assistant", content="1, 2, "))


def looking(image: bytes) -> tuple[Message, ...]:
    return (Message(role="user", content="What is this?", images=(data_uri(image),)),)


def test_an_image_goes_out_as_base64_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with faking(monkeypatch, "--models", LOOKER) as fake:
        text, _ = told(ENGINE.chat(LOOKER, looking(png()), SHORT))
        assert text
        [message] = fake.bodies("/api/chat")[0]["messages"]
        assert message["content"] == "What is this?"
        assert [base64.b64decode(image) for image in message["images"]] == [png()]


def test_which_models_see_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    with faking(monkeypatch, "--models", f"{LOOKER},{STARTER}"):
        assert {row.name: row.can_see for row in ENGINE.models()} == {LOOKER: True, STARTER: False}


def test_a_model_that_cannot_see_is_sent_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    with faking(monkeypatch, "--models", STARTER) as fake:
        with pytest.raises(BadInput, match=r"cannot see images\. Remove the image"):
            told(ENGINE.chat(STARTER, looking(png()), SHORT))
        assert fake.bodies("/api/chat") == []
        assert told(ENGINE.chat(STARTER, asked("Say hi."), SHORT))[0]


def test_an_image_for_a_model_that_is_not_there_is_no_matter_of_sight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with faking(monkeypatch), pytest.raises(NotFound, match="no-such:model"):
        told(ENGINE.chat("no-such:model", looking(png()), SHORT))
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    with pytest.raises(EngineDown):
        told(ENGINE.chat(LOOKER, looking(png()), SHORT))


@pytest.mark.parametrize("option", ["--gap-ms=0", "--no-echo"])
def test_a_reply_is_continued_and_its_beginning_not_said_again(
    monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    with faking(monkeypatch, "--models", STARTER, "--text", "3, 4, 5", option) as fake:
        text, last = told(ENGINE.chat(STARTER, BEGUN, SHORT))
        assert (text, last.finish_reason) == ("3, 4, 5 ", "stop")
        sent = fake.bodies("/api/chat")[0]["messages"]
        assert sent[-1] == {"role": "assistant", "content": "1, 2, "}


def test_an_empty_reply_at_the_end_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with faking(monkeypatch, "--models", STARTER) as fake:
        told(ENGINE.chat(STARTER, (*BEGUN[:1], Message(role="assistant", content="")), SHORT))
        assert [m["role"] for m in fake.bodies("/api/chat")[0]["messages"]] == ["user"]


def test_every_option_is_sent_under_ollamas_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    options = ChatOptions(
        temperature=0, top_p=0.5, max_tokens=3, seed=0, stop=("\n", "END"), json_schema=schema,
        top_k=20, min_p=0.1, repeat_penalty=1.2,
    )  # fmt: skip
    with faking(monkeypatch, "--models", STARTER) as fake:
        told(ENGINE.chat(STARTER, asked("Say hi."), options))
        body = fake.bodies("/api/chat")[0]
        sampling = {"temperature": 0, "top_p": 0.5, "num_predict": 3, "seed": 0}
        sampling |= {"top_k": 20, "min_p": 0.1, "repeat_penalty": 1.2}
        assert body["options"] == {**sampling, "stop": ["\n", "END"]}
        assert body["format"] == schema
        assert body["truncate"] is False, "a conversation that is too long is refused, not cut"


def test_what_was_not_chosen_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with faking(monkeypatch, "--models", STARTER) as fake:
        told(ENGINE.chat(STARTER, asked("Say hi."), ChatOptions()))
        body = fake.bodies("/api/chat")[0]
        assert body["options"] == {}
        assert "format" not in body


def test_ollama_counts_no_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    with faking(monkeypatch, "--models", STARTER):
        assert ENGINE.count(STARTER, "one two three") is None
