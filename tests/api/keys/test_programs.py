"""Programs on other machines, over the network's listener, and what their keys let them do."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest

from lib.core.access import Role, acting
from lib.doctor import bundle
from lib.doctor.registry import Look
from lib.sharing.programs import TRIES
from tests.api.keys.conftest import Program
from tests.conftest import ROOT
from tests.support.engines import register
from tests.support.fake_engine import Running, running_fake
from tests.support.gateway import HELLO
from tests.support.guests import shared_server, signed_in
from tests.support.keys import UNKNOWN, bearer, changed, listed, made, x_api_key
from tests.support.server import Server, running_server
from tests.support.waiting import until

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
ASKED: dict[str, dict[str, Any]] = {
    CHAT: HELLO,
    "/v1/completions": {"model": "fake", "prompt": "Hello"},
    MESSAGES: {**HELLO, "max_tokens": 9},
    RESPONSES: {"model": "fake", "input": "Hello"},
    "/v1/embeddings": {"model": "fake", "input": "Hello"},
    "/v1/messages/count_tokens": HELLO,
}
STREAMS = (CHAT, "/v1/completions", MESSAGES, RESPONSES)
LONG = {"tokens": 100_000, "gap_ms": 10}


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize("sent", [bearer, x_api_key])
def test_with_a_key_every_dialect_is_answered(
    server: Server, fake: Running, program: Program, path: str, sent: Any
) -> None:
    _, secret = made(server, f"dialect {path} {sent.__name__}")
    answer = program(sent(secret)).post(path, json=ASKED[path])
    assert answer.status_code == 200, answer.text
    assert secret not in str(fake.record())  # an engine gets the key of its own


@pytest.mark.parametrize("path", [*ASKED, "/v1/models", "/v1/models/fake"])
def test_without_a_good_one_nothing_is(
    server: Server, fake: Running, program: Program, path: str, url: str
) -> None:
    before = len(fake.record())
    other = program({"Cookie": signed_in(url)}, f"127.1.1.{len(path)}")
    for headers in ({}, bearer(UNKNOWN), x_api_key(UNKNOWN), bearer("sk-any")):
        method = "GET" if "models" in path else "POST"
        answer = other.request(method, path, json=ASKED.get(path), headers=headers)
        assert answer.status_code == 401
        error = answer.json()["error"]
        assert error["code"] in ("api_key_needed", "invalid_api_key")
        assert error["message"]
        assert (answer.json().get("type") == "error") == (path.startswith((MESSAGES, RESPONSES)))
        assert answer.headers["www-authenticate"] == "Bearer"
    assert len(fake.record()) == before


def test_the_official_clients_work_and_say_what_is_wrong(
    server: Server, url: str, fake: Running
) -> None:
    key_id, secret = made(server, "official")
    told: Any = {"api_key": secret, "max_retries": 0}
    with openai.OpenAI(base_url=f"{url}/v1", **told) as client:
        said = client.chat.completions.create(**HELLO).choices[0].message.content
        assert said is not None and said.startswith("t0 t1")
        assert {model.id for model in client.models.list()} >= {"fake", "other"}
        changed(server, key_id, is_disabled=True)
        with pytest.raises(openai.AuthenticationError, match="“official” is disabled"):
            client.chat.completions.create(**HELLO)
        changed(server, key_id, is_disabled=False, per_minute=1)
        client.chat.completions.create(**HELLO)
        with pytest.raises(openai.RateLimitError, match="made the 1 request"):
            client.chat.completions.create(**HELLO)
    changed(server, key_id, per_minute=None)
    with anthropic.Anthropic(base_url=url, **told) as claude:
        asked: Any = {**HELLO, "max_tokens": 9}
        assert claude.messages.create(**asked).content
        changed(server, key_id, models=["other"])
        with pytest.raises(anthropic.PermissionDeniedError, match="may not use “fake”"):
            claude.messages.create(**asked)
        changed(server, key_id, is_disabled=True)
        with pytest.raises(anthropic.AuthenticationError, match="Ask the owner of this Berth"):
            claude.messages.create(**asked)


def test_the_list_of_models_has_those_of_the_key_alone(
    server: Server, fake: Running, program: Program
) -> None:
    _, secret = made(server, "listing", models=["other", "asleep", "nowhere"])
    other = program(bearer(secret))
    rows = other.get("/v1/models").json()["data"]
    assert {row["id"] for row in rows} == {"other", "asleep"}
    assert other.get("/v1/models/other").status_code == 200
    hidden, absent = other.get("/v1/models/fake"), other.get("/v1/models/nobody")
    assert (hidden.status_code, absent.status_code) == (404, 404)
    assert (
        hidden.json()["error"]["message"].replace("fake", "nobody")
        == (absent.json()["error"]["message"])
    )
    here = httpx.get(f"{server.url}/v1/models", headers=bearer(secret)).json()["data"]
    assert [row["id"] for row in here] == [row["id"] for row in rows]
    assert len(httpx.get(f"{server.url}/v1/models").json()["data"]) > len(rows)


@pytest.mark.parametrize("path", ASKED)
def test_a_model_that_is_not_the_keys_is_refused_whether_it_is_there_or_not(
    server: Server, fake: Running, program: Program, path: str
) -> None:
    _, secret = made(server, f"narrow {path}", models=["other"])
    before, other = len(fake.record()), program(bearer(secret))
    told = set()
    for name in ("fake", "nobody"):
        answer = other.post(path, json={**ASKED[path], "model": name})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "model_not_for_key")
        told.add(answer.text.replace(name, "X"))
    assert len(told) == 1
    assert "It may use other." in told.pop()
    assert len(fake.record()) == before


def test_a_refusal_names_no_model_that_is_not_the_keys(
    server: Server, fake: Running, program: Program
) -> None:
    _, secret = made(server, "told nothing", models=["other", "nowhere"])
    answer = program(bearer(secret)).post(CHAT, json={**HELLO, "model": "nowhere"})
    assert answer.status_code == 404
    assert "Running now: other." in answer.text
    assert "fake" not in answer.text


@pytest.mark.parametrize("name", ["FAKE", "fake ", "fake\x00", "./fake", "llamacpp/fake"])
def test_another_spelling_of_a_model_gets_round_nothing(
    server: Server, fake: Running, program: Program, name: str
) -> None:
    _, secret = made(server, f"spelt {name!r}", models=["other"])
    answer = program(bearer(secret)).post(CHAT, json={**HELLO, "model": name})
    assert answer.status_code in (403, 422, 400)


def test_a_key_opens_nothing_but_the_models(server: Server, program: Program) -> None:
    _, secret = made(server, "nothing else")
    other = program(bearer(secret))
    for path in ("/", "/Chat", "/api/models", "/api/system", "/api/keys", "/api/health"):
        answer = other.get(path, follow_redirects=True)
        assert answer.status_code == 401, path
        assert "other" not in answer.text or "Access code" in answer.text
    for path in ("/v1/../api/keys", "/v1/%2e%2e/api/keys", "/v1//../api/keys", "/v1/..%2fapi/keys"):
        answer = other.get(path)
        assert answer.status_code in (401, 404), path
        assert secret[:10] not in answer.text


def test_so_many_requests_a_minute_and_the_rest_is_told_when(
    server: Server, fake: Running, program: Program
) -> None:
    key_id, secret = made(server, "slow", per_minute=2)
    other = program(bearer(secret))
    assert [other.post(CHAT, json=HELLO).status_code for _ in range(2)] == [200, 200]
    refused = other.post(MESSAGES, json=ASKED[MESSAGES])
    assert refused.status_code == 429
    assert 50 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert "has made the 2 requests that it may make in a minute" in refused.text
    assert other.get("/v1/models").status_code == 200
    assert listed(server, key_id)["today"]["requests"] == 2
    _, unhindered = made(server, "not slow")
    assert program(bearer(unhindered)).post(CHAT, json=HELLO).status_code == 200


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES])
def test_so_many_tokens_a_day_counted_from_what_the_answers_tell(
    server: Server, fake: Running, program: Program, path: str, is_stream: bool
) -> None:
    fake.behave(tokens=7, prompt_tokens=30)
    key_id, secret = made(server, f"tokens {path} {is_stream}", tokens_a_day=37)
    other, body = program(bearer(secret)), {**ASKED[path], "stream": is_stream}
    if path == CHAT and is_stream:
        body["stream_options"] = {"include_usage": True}
    assert other.post(path, json=body).status_code == 200
    until(lambda: listed(server, key_id)["today"]["tokens"])
    assert listed(server, key_id)["today"] == {"requests": 1, "tokens": 37}
    refused = other.post(path, json=body)
    assert (refused.status_code, refused.headers["x-should-retry"]) == (429, "false")
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert "has used 37 tokens today; it may use 37" in refused.text
    changed(server, key_id, tokens_a_day=1000)
    assert other.post(path, json=body).status_code == 200


def test_a_stream_that_its_client_leaves_costs_its_prompt_too(
    server: Server, fake: Running, program: Program
) -> None:
    fake.behave(**LONG)
    key_id, secret = made(server, "leaves")
    long = [{"role": "user", "content": "word " * 1000}]
    body = {"model": "fake", "messages": long, "stream": True}
    with program(bearer(secret)).stream("POST", CHAT, json=body) as answer:
        assert next(answer.iter_lines())
    assert until(lambda: listed(server, key_id)["today"]["tokens"]) > 1000


def _broken_off(client: httpx.Client, path: str, end: Any) -> str:
    """All that a stream says, whose key ends while it runs; its connection has no neat end."""
    said = ""
    body = {**ASKED[path], "stream": True}
    if path == MESSAGES:
        body["max_tokens"] = 100_000
    with client.stream("POST", path, json=body) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            for text in answer.iter_text():
                if not said:
                    end()
                said += text
    return said


@pytest.mark.parametrize("path", STREAMS)
def test_a_key_that_is_disabled_ends_what_runs_with_it(
    server: Server, fake: Running, program: Program, path: str
) -> None:
    fake.behave(**LONG)
    key_id, secret = made(server, f"revoked {path}")
    _, other_secret = made(server, f"goes on {path}")
    other = program(bearer(other_secret))
    with other.stream("POST", CHAT, json={**HELLO, "stream": True}) as goes_on:
        lines = goes_on.iter_lines()
        assert next(lines)
        said = _broken_off(
            program(x_api_key(secret)), path, lambda: changed(server, key_id, is_disabled=True)
        )
        for _ in range(5):
            assert next(lines) is not None
    last = said.rstrip().splitlines()[-1]
    assert "api_key_disabled" in last
    assert ("event: error" in said) == (path in (MESSAGES, RESPONSES))
    assert "[DONE]" not in said
    until(lambda: [call["ended"] for call in fake.record() if call["path"] == path][-1] == "left")


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_a_key_that_is_disabled_ends_what_is_not_streamed_too(
    server: Server, fake: Running, program: Program, path: str
) -> None:
    fake.behave(prefill_ms=60_000)
    key_id, secret = made(server, f"whole {path}")
    before = len(fake.record())
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(program(bearer(secret)).post, path, json=ASKED[path])
        until(lambda: len(fake.record()) > before)
        changed(server, key_id, is_disabled=True)
        refused = answer.result(20)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "api_key_disabled")
    until(lambda: fake.record()[-1]["ended"] == "left")


def test_a_key_whose_time_runs_out_ends_what_runs_with_it(
    server: Server, fake: Running, program: Program
) -> None:
    fake.behave(**LONG)
    key_id, secret = made(server, "runs out")

    def soon() -> None:
        changed(server, key_id, expires_at=time.time() + 0.5)

    assert "api_key_expired" in _broken_off(program(bearer(secret)), CHAT, soon)
    answer = program(bearer(secret)).post(CHAT, json=HELLO)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "api_key_expired")


def test_a_key_that_another_process_disables_ends_what_runs_with_it(
    server: Server, fake: Running, program: Program
) -> None:
    fake.behave(**LONG)
    key_id, secret = made(server, "by another")

    def elsewhere() -> None:
        code = (
            "from lib.core import access\nfrom lib.keys import store\n"
            "from lib.keys.key import KeyChange\naccess.own_process()\n"
            f"store.change({key_id!r}, KeyChange(is_disabled=True))\n"
        )
        world = {**os.environ, "BERTH_HOME": str(server.home)}
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, env=world)

    assert "api_key_disabled" in _broken_off(program(bearer(secret)), CHAT, elsewhere)
    assert program(bearer(secret)).get("/v1/models").status_code == 401


def test_a_key_that_is_deleted_opens_nothing_when_it_is_sent_again(
    server: Server, fake: Running, program: Program
) -> None:
    key_id, secret = made(server, "gone")
    other = program(bearer(secret))
    assert other.get("/v1/models").status_code == 200
    changed(server, key_id, is_disabled=True)
    assert other.get("/v1/models").json()["error"]["code"] == "api_key_disabled"
    httpx.delete(f"{server.url}/api/keys/{key_id}")
    assert other.get("/v1/models").json()["error"]["code"] == "invalid_api_key"
    made(server, "gone")  # the name alone brings nothing back
    assert other.get("/v1/models").status_code == 401


@pytest.mark.parametrize("place", ["query", "path", "cookie", "body"])
def test_a_key_that_is_not_in_its_header_opens_nothing(
    server: Server, fake: Running, program: Program, place: str
) -> None:
    _, secret = made(server, f"astray {place}")
    other = program()
    ways: dict[str, dict[str, Any]] = {
        "query": {"url": f"{CHAT}?api_key={secret}"},
        "path": {"url": f"/v1/{secret}/chat/completions"},
        "cookie": {"url": CHAT, "headers": {"Cookie": f"berth_guest={secret}; key={secret}"}},
        "body": {"url": CHAT, "json": {**HELLO, "api_key": secret}},
    }
    answer = other.post(**{"json": HELLO, **ways[place]})
    assert answer.status_code == (400 if place == "query" else 401)
    assert secret not in answer.text
    assert secret not in server.output


def test_guesses_are_slowed_down_where_they_come_from_alone(
    server: Server, program: Program
) -> None:
    _, secret = made(server, "guessed at")
    guesser = program(address="127.0.66.1")
    told = [
        guesser.get("/v1/models", headers=bearer(f"berth-{number}")).status_code
        for number in range(TRIES + 2)
    ]
    assert told == [401] * TRIES + [429] * 2
    right = guesser.get("/v1/models", headers=bearer(secret))
    assert (right.status_code, right.headers["retry-after"]) == (429, "60")
    assert program(bearer(secret), "127.0.66.2").get("/v1/models").status_code == 200
    assert httpx.get(f"{server.url}/v1/models", headers=bearer(secret)).status_code == 200


@pytest.fixture
def own(home: Path) -> Iterator[tuple[Server, str]]:
    """A server of this test alone."""
    with shared_server(home) as (server, url):
        yield server, url


def test_a_secret_is_in_no_log_no_file_and_no_bundle(
    own: tuple[Server, str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, url = own
    key_id, secret = made(server, "hidden")
    for where in (server.url, url):
        httpx.get(f"{where}/v1/models", headers=bearer(secret))
        httpx.get(f"{where}/v1/models?key={secret}")
        httpx.get(f"{where}/v1/models", headers=bearer(secret + "x"))
        httpx.post(f"{where}{CHAT}", json={**HELLO, "model": secret}, headers=bearer(secret))
    changed(server, key_id, is_disabled=True)
    server.stop()
    for path in home.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
    monkeypatch.setenv("BERTH_HOME", str(home))
    with acting(Role.OWNER):
        assert secret not in str(bundle.contents(Look(at=1.0)))


def test_what_a_key_has_used_outlives_kill_9(home: Path) -> None:
    with running_fake() as fake:
        with shared_server(home) as (server, url):
            register(home, fake)
            key_id, secret = made(server, "outlives", tokens_a_day=21)
            answer = httpx.post(f"{url}{CHAT}", json=HELLO, headers=bearer(secret))
            assert answer.status_code == 200
            until(lambda: _kept(home))
            server.process.kill()
            server.process.wait()
        with shared_server(home) as (server, url):
            assert listed(server, key_id)["today"] == {"requests": 1, "tokens": 21}
            answer = httpx.post(f"{url}{CHAT}", json=HELLO, headers=bearer(secret))
            assert (answer.status_code, "today" in answer.text) == (429, True)


def _kept(home: Path) -> bool:
    with closing(sqlite3.connect(home / "berth.db")) as file:
        rows = file.execute("SELECT tokens FROM api_key_days WHERE tokens > 0").fetchall()
    return bool(rows)


def test_where_programs_here_need_a_key_too_a_dummy_is_none(home: Path) -> None:
    home.mkdir(parents=True)
    (home / "settings.toml").write_text("programs_need_key = true\n")
    with running_server(home) as server:
        assert httpx.get(f"{server.url}/api/health").status_code == 200
        for headers in ({}, bearer("sk-no-key-required")):
            answer = httpx.get(f"{server.url}/v1/models", headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "api_key_needed")
        _, secret = made(server, "here")
        assert httpx.get(f"{server.url}/v1/models", headers=bearer(secret)).status_code == 200
