"""What a chat can ask of the built-in engine, with the real starter model and with a fake one."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lib.core.errors import BadInput, EngineError
from lib.engines.base import ChatOptions, Delta, Message, StartOptions
from lib.engines.llamacpp import ENGINE, records
from tests.support.engines import register
from tests.support.fake_engine import Running, running_fake
from tests.support.tiny_projector import data_uri, png

EXACT = ChatOptions(temperature=0)
THINKING = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}"
    "{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
COUNT = Message(role="user", content="Count from 1 to 12, with commas.")


@pytest.fixture(scope="module")
def home_of_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("berth")


@pytest.fixture
def starter(
    home_of_all: Path, starter_file: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The starter model, started by the first test and ended after the last."""
    monkeypatch.setenv("BERTH_HOME", str(home_of_all))
    place = home_of_all / "models" / "starter.gguf"
    if not place.is_symlink():
        place.parent.mkdir(parents=True)
        place.symlink_to(starter_file)
    ENGINE.start("starter", StartOptions(context=512))
    yield "starter"


@pytest.fixture(scope="module", autouse=True)
def _ended(home_of_all: Path) -> Iterator[None]:
    yield
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BERTH_HOME", str(home_of_all))
        ENGINE.stop("starter")


@pytest.fixture
def fake(home: Path) -> Iterator[Running]:
    with running_fake() as engine:
        register(home, engine)
        yield engine


def told(model: str, *messages: Message, options: ChatOptions = EXACT) -> tuple[str, Delta]:
    """What a reply said, and its last piece."""
    pieces = list(ENGINE.chat(model, messages, options))
    return "".join(piece.text for piece in pieces), pieces[-1]


@pytest.mark.parametrize("begun", ["1, 2, 3, 4,", "1, 2, 3, 4, "])
def test_a_reply_is_continued_where_it_ends(starter: str, begun: str) -> None:
    text, last = told(starter, COUNT, Message(role="assistant", content=begun))
    assert begun.rstrip() + " " + text.lstrip() == "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"
    assert (begun + text).count("  ") == 0
    assert last.finish_reason == "stop"


def whole(model: str, *messages: Message) -> tuple[str, str]:
    """The engine's own answer in one piece: it says the beginning again. Text and reasoning."""
    record, to = records.read(model), ENGINE.upstream(model)
    assert record is not None and to is not None and to.key is not None
    body = {
        "model": to.model,
        "messages": [message.model_dump(include={"role", "content"}) for message in messages],
        "temperature": 0,
        "max_tokens": 24,
    }
    key = {"Authorization": f"Bearer {to.key.get_secret_value()}"}
    answer = httpx.post(f"{to.base_url}/chat/completions", json=body, headers=key, timeout=60)
    said = answer.json()["choices"][0]["message"]
    return said["content"], said.get("reasoning_content") or ""


BEGINNINGS = {
    "a sign that begins the next token": (f"Repeat: {'a' * 40}", "a"),
    "a word that comes again": ("Say: go go go go go go.", "go"),
    "a line break": ("Count from 1 to 12, with commas.", "1\n"),
    "two words": ("Say: go go go go go go.", "go go"),
    "a thought in the text": ("Say: go.", "<think>\nHm\n</think>\n\nThe"),
}


@pytest.mark.parametrize("case", BEGINNINGS)
def test_a_stream_says_what_a_whole_answer_does_but_for_its_beginning(
    starter: str, case: str
) -> None:
    question, begun = BEGINNINGS[case]
    turns = [Message(role="user", content=question), Message(role="assistant", content=begun)]
    told(starter, *turns, options=EXACT.model_copy(update={"max_tokens": 1}))  # both from the cache
    text, _ = told(starter, *turns, options=EXACT.model_copy(update={"max_tokens": 24}))
    said, _ = whole(starter, *turns)
    assert said == begun + text


@pytest.fixture
def thinker(starter: str, home_of_all: Path, starter_file: Path) -> Iterator[str]:
    """The same model under a template that lets it think before each answer."""
    place = home_of_all / "models" / "thinker.gguf"
    place.symlink_to(starter_file)
    place.with_suffix(".jinja").write_text(THINKING, encoding="utf-8")
    ENGINE.start("thinker", StartOptions(context=512))
    yield "thinker"
    ENGINE.stop("thinker")


def test_a_model_that_thinks_goes_on_with_its_words_and_not_with_a_thought(thinker: str) -> None:
    turns = [COUNT, Message(role="assistant", content="1, 2, 3,")]
    options = EXACT.model_copy(update={"max_tokens": 24})
    pieces = list(ENGINE.chat(thinker, turns, options))
    said, thought = whole(thinker, *turns)
    assert "".join(piece.text for piece in pieces) == said.removeprefix("1, 2, 3,")
    assert "".join(piece.reasoning for piece in pieces) == thought == ""
    pieces = list(ENGINE.chat(thinker, [COUNT], options))
    assert pieces[0].reasoning


def test_a_schema_is_kept_to_whatever_the_question(starter: str) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    question = Message(role="user", content="Tell a joke about Ann, who is 31.")
    options = ChatOptions(temperature=0, json_schema=schema, max_tokens=100)
    text, _ = told(starter, question, options=options)
    said = json.loads(text)
    assert said.keys() == {"name", "age"}
    assert isinstance(said["age"], int)


def test_sampling_is_obeyed(starter: str) -> None:
    wild = ChatOptions(temperature=2, seed=7, max_tokens=12)
    assert told(starter, COUNT, options=wild)[0] == told(starter, COUNT, options=wild)[0]
    other = wild.model_copy(update={"seed": 8})
    assert told(starter, COUNT, options=other)[0] != told(starter, COUNT, options=wild)[0]
    short, last = told(starter, COUNT, options=ChatOptions(temperature=0, max_tokens=3))
    assert (short, last.finish_reason) == ("1, ", "length")
    cut, last = told(starter, COUNT, options=ChatOptions(temperature=0, stop=("5",)))
    assert (cut, last.finish_reason) == ("1, 2, 3, 4, ", "stop")


def test_the_whole_prompt_is_counted_also_where_it_was_still_known(starter: str) -> None:
    long = Message(role="user", content="word " * 200)
    first, again = told(starter, long)[1].usage, told(starter, long)[1].usage
    assert first is not None
    assert again is not None
    assert again.prompt_tokens == first.prompt_tokens > 200


def test_a_reply_that_outgrows_the_context_ends_and_says_so(starter: str) -> None:
    story = Message(role="user", content="Repeat for ever: " + "one two three four five " * 80)
    text, last = told(starter, story, options=ChatOptions(temperature=0, stop=()))
    assert text
    assert last.usage is not None
    assert last.usage.prompt_tokens + last.usage.completion_tokens <= 512
    with pytest.raises(EngineError, match="context of 512"):
        told(starter, Message(role="user", content="word " * 600))


def test_tokens_are_counted_by_the_models_own_tokenizer(starter: str) -> None:
    assert ENGINE.count(starter, "") == 0
    assert ENGINE.count(starter, "hello") == 1
    few, many = ENGINE.count(starter, "Grüße 東京"), ENGINE.count(starter, "word " * 5000)
    assert few is not None
    assert 3 <= few <= 12
    assert many is not None
    assert 5000 <= many <= 5001


@pytest.mark.parametrize("model", ["none", "../none", "", "a\0b"])
def test_nothing_is_counted_where_nothing_runs(home: Path, model: str) -> None:
    assert ENGINE.count(model, "hello") is None


def test_counting_never_raises(fake: Running) -> None:
    assert ENGINE.count("fake", "three words here") == 3
    assert ENGINE.count("fake", "no \ud800 UTF-8") is None
    fake.behave(key="another")
    assert ENGINE.count("fake", "hello") is None
    fake.process.kill()
    fake.process.wait()
    assert ENGINE.count("fake", "hello") is None


def test_whether_a_model_sees_is_what_its_engine_tells(fake: Running, home: Path) -> None:
    register(home, fake)
    record = records.read("fake")
    assert record is not None
    records.save(record.model_copy(update={"context": None}))
    fake.behave(can_see=True)
    assert ENGINE.upstream("fake") is not None
    [model] = ENGINE.models()
    assert model.can_see
    question = Message(role="user", content="What?", images=(data_uri(png()),))
    assert told("fake", question)[0]
    [_, image] = fake.bodies("/v1/chat/completions")[0]["messages"][0]["content"]
    assert image["image_url"]["url"] == data_uri(png())


def test_a_model_that_cannot_see_is_sent_no_image(fake: Running) -> None:
    question = Message(role="user", content="What?", images=(data_uri(png()),))
    with pytest.raises(BadInput, match="“fake” cannot see images"):
        told("fake", Message(role="user", content="Hi"), question)
    assert fake.record() == []


def test_it_tells_how_it_draws_where_nobody_chooses(starter: str) -> None:
    usual = ENGINE.usual(starter)
    assert usual.temperature is not None
    assert 0 < usual.temperature <= 2
    assert usual.top_k is not None
    assert usual.min_p is not None
    assert usual.repeat_penalty is not None
    sampled = ChatOptions(top_k=1, min_p=0.5, repeat_penalty=1.3, seed=1, max_tokens=6)
    assert told(starter, COUNT, options=sampled)[0] == told(starter, COUNT, options=sampled)[0]
