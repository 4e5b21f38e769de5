"""POST /api/chat on the running server, with an engine that misbehaves on demand."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support import files
from tests.support.berth import lay_fake
from tests.support.engines import register
from tests.support.fake_engine import Running, running_fake
from tests.support.guests import shared_server, signed_in
from tests.support.server import Server, running_server
from tests.support.waiting import until

HELLO: dict[str, Any] = {"model": "fake", "messages": [{"role": "user", "content": "Hello"}]}
PIXEL = "data:image/png;base64," + base64.b64encode(files.picture()).decode()
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.fixture
def fake(shared_fake: Running) -> Running:
    return shared_fake.afresh()


def url(server: Server, path: str = "") -> str:
    return f"{server.url}/api/chat{path}"


def asked(server: Server, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    return httpx.post(url(server), json=HELLO | more, headers=headers, timeout=30)


def read(text: str) -> list[dict[str, Any]]:
    """The events of a stream: id, name and data."""
    found = []
    for block in text.split("\n\n"):
        lines = [line.partition(": ") for line in block.splitlines() if not line.startswith(":")]
        if lines:
            fields = {name: value for name, _, value in lines}
            found.append({**fields, "data": json.loads(fields["data"])})
    return found


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return read(answer.text)


def said(found: list[dict[str, Any]], name: str = "text") -> str:
    return "".join(one["data"]["text"] for one in found if one["event"] == name)


def broken_off(server: Server, **more: Any) -> list[dict[str, Any]]:
    """The events of a stream whose connection was closed without an end."""
    text = ""
    with (
        httpx.stream("POST", url(server), json=HELLO | more, timeout=30) as answer,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        for piece in answer.iter_text():
            text += piece
    return read(text)


def problem(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "fix"}
    return answer.status_code, error["code"]


def begun(server: Server, fake: Running, tokens: int = 3, **more: Any) -> list[dict[str, Any]]:
    """What came of a stream that the client has left after so many tokens."""
    fake.behave(hold_after=tokens, tokens=10)
    text = ""
    with httpx.stream("POST", url(server), json=HELLO | more, timeout=30) as answer:
        for piece in answer.iter_text():
            text += piece
            if len(said(read(text[: text.rfind("\n\n")])).split()) == tokens:
                break
    return read(text)


def test_a_reply_comes_as_events_that_end_with_figures(server: Server, fake: Running) -> None:
    fake.behave(reasoning=2, tokens=5)
    found = events(asked(server))
    assert [found[0]["event"], found[-1]["event"]] == ["start", "end"]
    assert said(found, "reasoning").split() == ["t0", "t1"]
    assert said(found).split() == ["t2", "t3", "t4"]
    end = found[-1]["data"]
    assert (end["state"], end["finish_reason"], end["engine"]) == ("done", "stop", "llamacpp")
    assert end["usage"] == {"prompt_tokens": 1, "completion_tokens": 5}
    assert end["timings"]["first_token_seconds"] > 0
    assert end["id"] == found[0]["data"]["id"]


def test_whole_it_is_one_answer(server: Server, fake: Running) -> None:
    answer = asked(server, stream=False)
    told = answer.json()
    assert told["message"]["content"].split() == [f"t{n}" for n in range(20)]
    assert told["usage"]["completion_tokens"] == 20
    assert told["state"] == "done"


def test_what_is_asked_reaches_the_engine(server: Server) -> None:
    options = {"temperature": 0.2, "top_p": 0.9, "max_tokens": 7, "seed": 3, "stop": ["END"]}
    options |= {"top_k": 20, "min_p": 0.1, "repeat_penalty": 1.1}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is it?", "images": [PIXEL]},
    ]
    with running_fake("--can-see") as seeing:
        lay_fake(server.home, seeing, "seeing", can_see=True)
        asked(server, model="seeing", messages=messages, options=options, schema=SCHEMA)
        body = seeing.record()[-1]["body"]
    assert {name: body[name] for name in options} == options
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert body["messages"][0] == messages[0]
    assert body["messages"][1]["content"][1]["image_url"]["url"] == PIXEL


def test_an_answer_that_its_schema_does_not_allow_is_told(server: Server, fake: Running) -> None:
    fake.behave(reply='{"n": "one"}')
    told = asked(server, stream=False, schema=SCHEMA).json()
    assert told["schema_problem"] == "At n: should be a whole number, is a text."
    fake.behave(reply='{"n": 1}')
    assert asked(server, stream=False, schema=SCHEMA).json()["schema_problem"] is None


def test_a_beginning_is_gone_on_from_and_not_said_again(server: Server, fake: Running) -> None:
    turns = [*HELLO["messages"], {"role": "assistant", "content": "It begins"}]
    fake.behave(reply=" and ends.")
    assert said(events(asked(server, messages=turns))) == " and ends."
    whole = asked(server, messages=turns, stream=False).json()
    assert whole["message"]["content"] == " and ends."


def test_a_stream_that_breaks_tells_why_and_is_broken_off(server: Server, fake: Running) -> None:
    fake.behave(error_after=3)
    found = broken_off(server)
    assert said(found).split() == ["t0", "t1", "t2"]
    assert found[-1]["event"] == "error"
    assert found[-1]["data"]["error"]["code"] == "engine_failed"
    assert "ordered by the test" in found[-1]["data"]["error"]["message"]


def test_whole_a_failure_has_a_status(server: Server, fake: Running) -> None:
    fake.behave(error_after=3)
    assert problem(asked(server, stream=False)) == (502, "engine_failed")


@pytest.mark.parametrize("stream", [True, False])
def test_what_is_refused_before_the_first_word_has_a_status(
    server: Server, fake: Running, stream: bool
) -> None:
    assert problem(asked(server, model="nobody", stream=stream)) == (404, "not_found")
    long = [{"role": "user", "content": "word " * 5000}]
    assert problem(asked(server, messages=long, stream=stream)) == (422, "too_long")
    sees = [{"role": "user", "content": "", "images": [PIXEL]}]
    assert problem(asked(server, messages=sees, stream=stream)) == (422, "bad_input")


def test_whoever_leaves_ends_the_engines_work(server: Server, fake: Running) -> None:
    begun(server, fake)
    assert fake.last_call("left")["tokens_sent"] == 3


def test_leaving_before_the_first_word_ends_it_too(server: Server, fake: Running) -> None:
    fake.behave(prefill_ms=60_000)
    for stream in (True, False):
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url(server), json=HELLO | {"stream": stream}, timeout=1.5)
        fake.last_call("left")


def test_a_reply_that_may_go_on_does_and_is_come_back_for(server: Server, fake: Running) -> None:
    had = begun(server, fake, when_left="go_on")
    last = [one["id"] for one in had if one["event"] == "text"][-1]
    fake.behave(hold_after=-1)
    place = {"Last-Event-ID": last}
    answers = [asked(server, place), httpx.get(url(server, f"/{last[:32]}"), headers=place)]
    for rest in map(events, answers):
        assert said(had).split() + said(rest).split() == [f"t{n}" for n in range(10)]
        assert rest[-1]["event"] == "end"
    assert len(fake.bodies("/v1/chat/completions")) == len(fake.record())
    whole = httpx.get(url(server, f"/{last[:32]}"), params={"stream": "false"}).json()
    assert whole["message"]["content"].split() == [f"t{n}" for n in range(10)]


def test_what_was_cut_off_can_be_read_and_nothing_is_asked_anew(
    server: Server, fake: Running
) -> None:
    had = begun(server, fake)
    fake.last_call("left")
    before = len(fake.record())
    rest = events(asked(server, {"Last-Event-ID": had[0]["id"]}))
    assert said(rest).split() == ["t0", "t1", "t2"]
    assert rest[-1]["data"]["state"] == "stopped"
    assert len(fake.record()) == before


def test_a_restart_keeps_what_came(server: Server, fake: Running) -> None:
    had = begun(server, fake, when_left="go_on")
    with running_server(server.home) as again:
        text = ""
        with (
            httpx.stream("GET", url(again, f"/{had[0]['data']['id']}"), timeout=30) as answer,
            pytest.raises(httpx.RemoteProtocolError),
        ):
            for piece in answer.iter_text():
                text += piece
    found = read(text)
    assert said(found).split() == ["t0", "t1", "t2"]
    assert found[-1]["data"]["error"]["code"] == "interrupted"
    fake.behave(hold_after=-1)


def test_of_a_reply_that_was_handed_over_nothing_is_kept(server: Server, fake: Running) -> None:
    kept = set((server.home / "replies").glob("*.jsonl"))
    number = events(asked(server))[-1]["data"]["id"]
    asked(server, stream=False)
    until(lambda: problem_of(server, number) == 404, "that it is forgotten")
    assert set((server.home / "replies").glob("*.jsonl")) <= kept


def problem_of(server: Server, number: str) -> int:
    return httpx.get(url(server, f"/{number}"), timeout=30).status_code


def test_it_can_be_stopped_and_forgotten_by_its_id(server: Server, fake: Running) -> None:
    number = begun(server, fake, when_left="go_on")[0]["data"]["id"]
    stopped = httpx.post(f"{server.url}/api/replies/{number}/stop", json={})
    assert stopped.json() == {"id": number, "state": "stopped"}
    fake.last_call("left")
    gone = httpx.delete(url(server, f"/{number}"))
    assert gone.json() == {"id": number, "state": "stopped"}
    assert problem(httpx.get(url(server, f"/{number}"))) == (404, "not_found")


def test_a_browsers_reply_is_no_programs_and_no_other_browsers(
    server: Server, fake: Running
) -> None:
    mine = {"Cookie": f"berth_browser={'a' * 32}"}
    answer = asked(server, mine, when_left="go_on")
    number = events(answer)[0]["data"]["id"]
    assert httpx.get(url(server, f"/{number}"), headers=mine).status_code == 200
    for other in ({}, {"Cookie": f"berth_browser={'b' * 32}"}, {"Cookie": "berth_browser=x"}):
        found = httpx.get(url(server, f"/{number}"), headers=other)
        assert problem(found) == (404, "not_found")
        gone = httpx.delete(url(server, f"/{number}"), headers=other)
        assert problem(gone) == (404, "not_found")


@pytest.mark.parametrize("told", ["x", "0.0", f"{'a' * 32}.-1.0", f"{'a' * 32}.0.0; x", "\u0661"])
def test_a_hostile_place_to_go_on_from_is_refused(server: Server, fake: Running, told: str) -> None:
    before = len(fake.record())
    headers = [(b"Last-Event-ID", told.encode())]
    answer = httpx.post(url(server), json=HELLO, headers=headers)
    assert problem(answer) == (422, "bad_input")
    assert len(fake.record()) == before


def test_head_tells_what_there_is_without_it(server: Server, fake: Running) -> None:
    number = begun(server, fake, when_left="go_on")[0]["data"]["id"]
    answer = httpx.head(url(server, f"/{number}"))
    assert answer.headers["content-type"].startswith("text/event-stream")
    httpx.delete(url(server, f"/{number}"))


@pytest.mark.parametrize(
    "more",
    [
        {"messages": []},
        {"messages": [{"role": "robot", "content": ""}]},
        {"messages": [{"role": "user", "content": "", "images": ["http://evil.test/x.png"]}]},
        {"messages": [{"role": "user", "content": "", "images": [PIXEL] * 21}]},
        {"messages": [{"role": "user", "content": 5}]},
        {"options": {"temperature": 2.1}},
        {"options": {"temperature": "1"}},
        {"options": {"max_tokens": 0}},
        {"options": {"seed": 2**31}},
        {"options": {"stop": ["x"] * 5}},
        {"options": {"grammar": "root ::= x"}},
        {"schema": {"$ref": "http://evil.test/"}},
        {"schema": {"type": "nothing"}},
        {"schema": []},
        {"model": "../../etc/passwd"},
        {"model": ""},
        {"stream": "yes"},
        {"when_left": "stay"},
        {"cache_prompt": True},
    ],
    ids=lambda more: json.dumps(more)[:60],
)
def test_what_is_out_of_bounds_is_refused_and_no_engine_hears_of_it(
    server: Server, fake: Running, more: dict[str, Any]
) -> None:
    before = len(fake.record())
    assert problem(asked(server, **more))[0] == 422
    assert len(fake.record()) == before


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Running]]:
    """Where guests come in, and the engine that they ask."""
    limits = ("tokens_per_reply = 16", "questions_per_minute = 3")
    with (
        shared_server(tmp_path_factory.mktemp("shared"), *limits) as (server, address),
        running_fake() as engine,
    ):
        register(server.home, engine)
        yield address, engine


def test_the_limits_of_guests_hold(shared: tuple[str, Running]) -> None:
    address, engine = shared
    sent = {"Cookie": signed_in(address), "Origin": address}
    body = HELLO | {"options": {"max_tokens": 500}}
    for _ in range(3):
        answer = httpx.post(f"{address}/api/chat", json=body, headers=sent, timeout=30)
        assert events(answer)[-1]["event"] == "end"
    assert engine.record()[-1]["body"]["max_tokens"] == 16
    answer = httpx.post(f"{address}/api/chat", json=body, headers=sent, timeout=30)
    assert problem(answer) == (429, "too_many")
    assert int(answer.headers["retry-after"]) > 0


def test_nobody_from_the_network_asks_without_having_signed_in(
    shared: tuple[str, Running],
) -> None:
    address, engine = shared
    before = len(engine.record())
    answer = httpx.post(f"{address}/api/chat", json=HELLO, headers={"Origin": address})
    assert problem(answer) == (401, "not_signed_in")
    assert len(engine.record()) == before
