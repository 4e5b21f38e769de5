"""The `/v1` dialect: what is asked, how the reply comes, and every way in which it may end."""

import json
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from lib.core.errors import EngineDown, EngineError, NotFound
from lib.core.http import Refused
from lib.engines import openai_api
from lib.engines.base import ChatOptions, Delta, DeltaStream, Message
from lib.engines.messages import without_echo
from lib.engines.openai_api import chat_stream, complete_stream, explained, failed_stream
from tests.support.fake_engine import Running, running_fake
from tests.support.replies import text_of
from tests.support.tiny_projector import data_uri, png

HELLO = [Message(role="user", content="hello there")]
PLAIN = ChatOptions()


@pytest.fixture(scope="module")
def engine() -> Iterator[Running]:
    with running_fake() as fake:
        yield fake


@pytest.fixture
def fake(engine: Running) -> Running:
    """The module's engine, well-behaved again."""
    engine.behave(
        text="", tokens=20, status=200, gap_ms=0, prefill_ms=0, reasoning=0, context=4096, key="",
        error_after=-1, cut_after=-1, split_utf8=False, headers_at_once=False,
        reply="", echo=False, can_see=False,
    )  # fmt: skip
    return engine


def chat(fake: Running, options: ChatOptions = PLAIN, key: SecretStr | None = None) -> DeltaStream:
    return chat_stream(f"{fake.url}/v1", "fake", HELLO, options, key)


def test_a_reply_comes_in_pieces_and_the_last_one_has_reason_usage_and_speed(fake: Running) -> None:
    fake.behave(text="Paris is the capital.")
    *pieces, last = chat(fake)
    assert [piece.text for piece in pieces] == ["Paris ", "is ", "the ", "capital. "]
    assert all(not piece.finish_reason and piece.usage is None for piece in pieces)
    assert last.finish_reason == "stop"
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (2, 4)
    assert (last.usage.prompt_ms, last.usage.tokens_per_second) == (12.5, 50.0)


def test_a_completion_has_the_same_shape(fake: Running) -> None:
    fake.behave(text="upon a time")
    *pieces, last = complete_stream(f"{fake.url}/v1", "fake", "Once", PLAIN)
    assert text_of(iter(pieces)) == "upon a time "
    assert last.usage is not None
    assert last.usage.completion_tokens == 3
    assert fake.record()[-1]["body"]["prompt"] == "Once"


def test_reasoning_is_kept_apart_from_the_answer(fake: Running) -> None:
    fake.behave(text="let me think Paris", reasoning=3)
    said = list(chat(fake))
    assert "".join(delta.reasoning for delta in said) == "let me think "
    assert text_of(iter(said)) == "Paris "


def test_characters_cut_between_two_packets_arrive_whole(fake: Running) -> None:
    fake.behave(text="Grüße aus Zürich 東京 🙂 𝔘", split_utf8=True)
    assert text_of(chat(fake)) == "Grüße aus Zürich 東京 🙂 𝔘 "


def test_only_what_was_chosen_is_sent(fake: Running) -> None:
    list(chat(fake))
    assert fake.record()[-1]["body"] == {
        "model": "fake",
        "messages": [{"role": "user", "content": "hello there"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_every_option_is_sent_under_its_own_name(fake: Running) -> None:
    options = ChatOptions(
        temperature=0, top_p=0.5, max_tokens=3, seed=0, stop=("\n", "END"), json_schema={"a": 1}
    )
    *_, last = chat(fake, options)
    assert last.finish_reason == "length"
    body = fake.record()[-1]["body"]
    assert (body["temperature"], body["top_p"], body["max_tokens"], body["seed"]) == (0, 0.5, 3, 0)
    assert body["stop"] == ["\n", "END"]
    assert body["response_format"]["json_schema"]["schema"] == {"a": 1}


def test_an_image_makes_a_message_of_parts(fake: Running) -> None:
    fake.behave(can_see=True)
    image = data_uri(png())
    turns = [
        Message(role="system", content="Be brief."),
        Message(role="user", content="What is this?", images=(image, image)),
        Message(role="user", content="", images=(image,)),
    ]
    assert text_of(chat_stream(f"{fake.url}/v1", "fake", turns, PLAIN))
    plain, two, bare = fake.record()[-1]["body"]["messages"]
    assert plain == {"role": "system", "content": "Be brief."}
    assert [part["type"] for part in two["content"]] == ["text", "image_url", "image_url"]
    assert two["content"][0]["text"] == "What is this?"
    assert bare["content"] == [{"type": "image_url", "image_url": {"url": image}}]


@pytest.mark.parametrize(
    "image",
    [
        "http://192.0.2.1/secret.png",
        "file:///etc/passwd",
        "data:text/html;base64,AAAA",
        "data:image/png;base64,AAAA\nfile:///etc/passwd",
        "data:image/png;base64,",
        "data:image/png,AAAA",
        " data:image/png;base64,AAAA",
        "",
    ],
)
def test_an_address_is_no_image(image: str) -> None:
    with pytest.raises(ValidationError):
        Message(role="user", content="What is this?", images=(image,))


def test_an_image_that_the_engine_cannot_read_is_told() -> None:
    said = {"error": {"code": 400, "message": "Failed to load image or audio file"}}
    error = explained(Refused(400, json.dumps(said)))
    assert str(error) == "The engine cannot read this image. Use a PNG or JPEG file."


@pytest.mark.parametrize("echo", [True, False])
def test_a_reply_is_continued_and_its_beginning_not_said_again(fake: Running, echo: bool) -> None:
    fake.behave(reply="4, 5\n\n- 6", echo=echo)
    turns = [*HELLO, Message(role="assistant", content="1, 2, 3, ")]
    stream = chat_stream(f"{fake.url}/v1", "fake", turns, PLAIN, may_echo=True)
    assert text_of(stream) == "4, 5\n\n- 6"
    assert fake.record()[-1]["body"]["messages"][-1]["content"] == "1, 2, 3, "


def test_of_an_engine_that_repeats_nothing_no_word_is_lost(fake: Running) -> None:
    fake.behave(reply="and so on")
    turns = [*HELLO, Message(role="assistant", content="a")]
    assert text_of(chat_stream(f"{fake.url}/v1", "fake", turns, PLAIN)) == "and so on"


@pytest.mark.parametrize("echo", [True, False])
def test_what_a_server_does_is_learned_from_a_beginning_that_is_no_token(
    fake: Running, echo: bool
) -> None:
    fake.behave(reply="and so on", echo=echo)

    def said(begun: str) -> str:
        turns = [*HELLO, Message(role="assistant", content=begun)]
        return text_of(chat_stream(f"{fake.url}/v1", "fake", turns, PLAIN, may_echo=True))

    assert said("one two ") == "and so on"
    assert said("a") == "and so on"
    assert said("an") == "and so on"


def test_what_a_new_reply_shares_with_an_earlier_one_is_kept(fake: Running) -> None:
    fake.behave(reply="yes yes")
    turns = [*HELLO, Message(role="assistant", content="yes "), *HELLO]
    assert text_of(chat_stream(f"{fake.url}/v1", "fake", turns, PLAIN)) == "yes yes"


@given(st.text(), st.lists(st.text()))
def test_only_a_whole_beginning_is_taken_off_and_only_once(begun: str, pieces: list[str]) -> None:
    said = "".join(pieces)
    alone = without_echo((Delta(text=piece) for piece in pieces), "\0" + begun, begun)
    assert text_of(alone) == said or pieces[0].startswith("\0")
    echoed = without_echo((Delta(text=piece) for piece in [begun + said, *pieces]), begun, "other")
    assert text_of(echoed) == said + said


def test_only_the_first_words_are_taken_for_a_repetition() -> None:
    pieces = [Delta(reasoning="hm"), Delta(text="go go "), Delta(text="go "), Delta(text="on")]
    assert text_of(without_echo(iter(pieces), "go ", "third")) == "go go on"


def test_an_empty_reply_at_the_end_is_not_sent(fake: Running) -> None:
    turns = [*HELLO, Message(role="assistant", content="")]
    list(chat_stream(f"{fake.url}/v1", "fake", turns, PLAIN))
    assert [turn["role"] for turn in fake.record()[-1]["body"]["messages"]] == ["user"]


def test_the_key_is_shown_in_the_header_alone(fake: Running) -> None:
    fake.behave(key="k-123")
    assert text_of(chat(fake, key=SecretStr("k-123")))
    call = fake.record()[-1]
    assert call["authorization"] == "Bearer k-123"
    assert "k-123" not in json.dumps(call["body"])


def test_a_wrong_key_is_refused_without_being_repeated(fake: Running) -> None:
    fake.behave(key="k-123")
    with pytest.raises(EngineError, match="does not take the key") as refused:
        list(chat(fake, key=SecretStr("wrong-key")))
    assert "wrong-key" not in str(refused.value)


def test_a_conversation_too_long_is_told_with_numbers_and_a_way_out(fake: Running) -> None:
    fake.behave(context=1)
    with pytest.raises(EngineError, match=r"has 2 tokens, .* a context of 1") as error:
        list(chat(fake))
    assert "larger context" in error.value.fix


def test_vllm_says_too_long_in_other_words() -> None:
    body = {
        "object": "error",
        "message": "This model's maximum context length is 512 tokens. However, you requested 9040"
        " tokens (9030 in the messages, 10 in the completion).",
        "code": 400,
    }
    assert "has 9,040 tokens" in explained(Refused(400, json.dumps(body))).message


@pytest.mark.parametrize("status", [400, 404, 500])
def test_an_error_answer_becomes_a_sentence(fake: Running, status: int) -> None:
    fake.behave(status=status)
    with pytest.raises(EngineError, match=r"The engine refused: ordered by the test\."):
        list(chat(fake))


def test_a_loading_model_asks_for_patience() -> None:
    body = '{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'
    assert explained(Refused(503, body)).message == "The model is still loading."


def test_an_error_inside_a_stream_is_raised_after_what_came_before(fake: Running) -> None:
    fake.behave(error_after=2)
    stream = chat(fake)
    said: list[Delta] = []
    with pytest.raises(EngineError, match="ordered by the test"):
        said.extend(stream)
    assert text_of(iter(said)) == "t0 t1 "


def test_a_stream_that_just_stops_is_an_error(fake: Running) -> None:
    fake.behave(cut_after=2)
    with pytest.raises(EngineError, match="ended in the middle of its reply"):
        list(chat(fake))


def test_an_engine_killed_in_mid_reply_is_an_error_after_what_it_said() -> None:
    with running_fake("--die-after", "3") as dying:
        stream = chat(dying)
        said: list[Delta] = []
        with pytest.raises(EngineError, match="ended in the middle of its reply"):
            said.extend(stream)
        assert text_of(iter(said)) == "t0 t1 t2 "
        assert list(stream) == []


def test_nothing_there_is_an_engine_that_is_down() -> None:
    with pytest.raises(EngineDown, match="Nothing answers"):
        list(chat_stream("http://127.0.0.1:9/v1", "fake", HELLO, PLAIN))


@pytest.mark.parametrize("headers_at_once", [True, False])
def test_closing_before_the_first_token_ends_the_engines_work_at_once(
    fake: Running, headers_at_once: bool
) -> None:
    fake.behave(prefill_ms=60_000, headers_at_once=headers_at_once)
    stream = chat(fake)
    said: list[Delta] = []
    reader = threading.Thread(target=lambda: said.extend(stream))
    reader.start()
    fake.last_call("running")
    closed_at = time.time()
    stream.close()
    reader.join(5)
    assert not reader.is_alive()
    assert said == []
    call = fake.last_call("left")
    assert call["ended_at"] - closed_at < 2  # the prefill would have taken a minute


def test_closing_in_mid_reply_ends_quietly(fake: Running) -> None:
    fake.behave(gap_ms=20, tokens=10_000)
    stream = chat(fake)
    assert next(stream).text == "t0 "
    stream.close()
    assert list(stream) == []
    assert fake.last_call("left")["tokens_sent"] < 10_000


def test_closing_before_the_start_asks_nothing(fake: Running) -> None:
    before = len(fake.record())
    stream = chat(fake)
    stream.close()
    stream.close()
    assert list(stream) == []
    assert len(fake.record()) == before


def test_closing_after_the_end_is_harmless(fake: Running) -> None:
    stream = chat(fake)
    assert text_of(stream)
    stream.close()


def test_a_reply_that_cannot_begin_raises_once() -> None:
    stream = failed_stream(NotFound("no such model"))
    with pytest.raises(NotFound):
        next(stream)
    assert list(stream) == []


def test_a_closed_reply_that_could_not_begin_is_quiet() -> None:
    stream = failed_stream(NotFound("no such model"))
    stream.close()
    assert list(stream) == []


def test_no_key_needs_no_header() -> None:
    assert openai_api.authorization(None) == {}
