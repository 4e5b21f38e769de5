"""A client before nginx, LiteLLM and an engine: all real but for the engine."""

import http.client
import itertools
import json
import time

import httpx
import openai
import pytest

from tests.support.gateway_box import FRONT, SLOT_PORTS, GatewayBox, words
from tests.support.waiting import until

CHAT = "/v1/chat/completions"
TOKENS = 20


@pytest.mark.parametrize("way", ["", "/slot-50"], ids=["LiteLLM", "engine"])
def test_a_stream_comes_piece_by_piece_and_not_in_lumps(served: GatewayBox, way: str) -> None:
    served.behave(50, gap_ms=20, tokens=100)
    with served.stream("anvil", way) as lines:
        came = [time.monotonic() for word in words(lines) if word != "[DONE]"]
    gaps = sorted(b - a for a, b in itertools.pairwise(came))
    assert len(came) == 100
    # The engine speaks every 20 ms. In lumps, all but four gaps would be nothing.
    assert gaps[len(gaps) // 2] > 0.005


def test_the_usage_comes_in_an_event_of_its_own_where_it_is_asked_for(served: GatewayBox) -> None:
    served.behave(50, gap_ms=0, tokens=TOKENS)
    with served.stream("anvil", stream_options={"include_usage": True}) as lines:
        events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    (usage,) = [event["usage"] for event in events if event.get("usage")]
    assert usage["completion_tokens"] == TOKENS


def test_the_official_client_lists_asks_and_looks_up_the_model(served: GatewayBox) -> None:
    served.behave(50, gap_ms=0, tokens=2)
    client = openai.OpenAI(base_url=f"{FRONT}/v1", api_key=served.master_key())
    assert [model.id for model in client.models.list()] == ["anvil"]
    assert client.models.retrieve("anvil").id == "anvil"
    answer = client.chat.completions.create(
        model="anvil", messages=[{"role": "user", "content": "Hello"}]
    )
    assert (answer.model, answer.choices[0].message.content) == ("anvil", "t0 t1 ")


def test_a_base_address_that_ends_in_a_slash_works_as_well(served: GatewayBox) -> None:
    for address in ("/v1/models", "/v1//models", "//v1/models", "/slot-50/v1//models"):
        key = served.key(50) if "slot" in address else served.master_key()
        answer = httpx.get(f"{FRONT}{address}", headers={"Authorization": f"Bearer {key}"})
        assert [row["id"] for row in answer.json()["data"]] == ["anvil"], address


def test_the_engine_itself_is_reached_with_its_own_key_alone(served: GatewayBox) -> None:
    url = f"{FRONT}/slot-50/v1/models"
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, headers=served.headers()).status_code == 401
    assert httpx.get(url, headers={"Authorization": f"Bearer {served.key(50)}"}).is_success


def test_without_a_key_and_with_a_wrong_one_litellm_refuses(served: GatewayBox) -> None:
    assert httpx.get(f"{FRONT}/v1/models").status_code == 401
    wrong = httpx.get(f"{FRONT}/v1/models", headers={"Authorization": "Bearer wrong"})
    assert wrong.status_code == 400


@pytest.mark.parametrize("field", ["api_base", "base_url", "user_config"])
def test_a_client_cannot_send_litellm_elsewhere(served: GatewayBox, field: str) -> None:
    answer = served.ask("anvil", **{field: "http://127.0.0.1:1"})
    assert answer.status_code == 401
    assert "not allowed in request body" in answer.json()["error"]["message"]


@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "whole"])
def test_a_client_that_leaves_ends_the_engines_work(served: GatewayBox, is_stream: bool) -> None:
    served.behave(50, gap_ms=100, tokens=600)
    before = len(served.ended(50))
    client = http.client.HTTPConnection("127.0.0.1", 8100)
    body = {"model": "anvil", "stream": is_stream}
    body["messages"] = [{"role": "user", "content": "Hello"}]
    headers = {**served.headers(), "Content-Type": "application/json"}
    client.request("POST", CHAT, json.dumps(body), headers)
    until(lambda: served.ended(50)[before:] == ["running"], "the engine's work")
    client.sock.close()
    client.close()
    until(lambda: served.ended(50)[before:] == ["left"], "the end of the engine's work")


def test_where_no_engine_answers_nginx_says_so_in_json(served: GatewayBox) -> None:
    served.run("systemctl", "stop", served.unit(50))
    try:
        answer = httpx.get(f"{FRONT}/slot-50/v1/models")
    finally:
        served.run("systemctl", "start", served.unit(50))
        until(lambda: served.answers(50), "the engine's return")
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "engine_down")


def test_a_request_that_is_too_large_is_refused_in_json(served: GatewayBox) -> None:
    answer = httpx.post(f"{FRONT}{CHAT}", content=b"x" * (65 << 20), timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_the_engines_port_is_what_its_slot_says(served: GatewayBox) -> None:
    assert (
        f"server 127.0.0.1:{SLOT_PORTS[50]};"
        in served.path("/etc/nginx/conf.d/berth.conf").read_text()
    )
