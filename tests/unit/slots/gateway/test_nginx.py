import re

import pytest

from lib.core.errors import BadInput
from lib.slots.gateway import nginx
from lib.slots.gateway.nginx import Front

TEXT = nginx.config_text(Front(), [0, 12], 4001)


def locations(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("location")]


def test_only_exact_addresses_lead_on_but_for_the_name_of_a_model() -> None:
    leading = [
        line
        for line in locations(TEXT)
        if not line.startswith(("location @", "location = /berth/", "location / {"))
    ]
    assert [line for line in leading if " = " not in line] == ["location /v1/models/ {"]
    assert not re.search(r"location\s+~", TEXT)


def test_each_slot_and_litellm_has_the_same_routes() -> None:
    for prefix in ("/v1", "/slot-0/v1", "/slot-12/v1"):
        for route in ("models", "chat/completions", "completions", "embeddings", "responses"):
            assert f"location = {prefix}/{route} {{" in locations(TEXT)


def test_a_slot_leads_to_the_port_of_its_number_and_idle_connections_end_before_the_engines() -> (
    None
):
    assert (
        "upstream berth_slot_12 {\n  server 127.0.0.1:8116;\n  keepalive 16;\n"
        "  keepalive_timeout 4s;\n}" in TEXT
    )


@pytest.mark.parametrize("port", [4000, 4001])
def test_to_which_litellm_it_leads_can_be_read_back(port: int) -> None:
    assert nginx.litellm_port(nginx.config_text(Front(), [0], port)) == port


def test_without_litellm_there_is_no_address_for_it() -> None:
    text = nginx.config_text(Front(), [0], None)
    assert nginx.litellm_port(text) is None
    assert not [line for line in locations(text) if "/v1/" in line and "slot" not in line]


@pytest.mark.parametrize(
    "line",
    [
        "proxy_http_version 1.1;",
        'proxy_set_header Connection "";',
        "proxy_set_header Host localhost;",
        "proxy_buffering off;",
        "proxy_next_upstream off;",
        "proxy_read_timeout 3600s;",
        "client_max_body_size 64m;",
        "merge_slashes on;",
        "gzip off;",
    ],
)
def test_it_says(line: str) -> None:
    assert line in TEXT


def test_it_listens_on_loopback_alone_under_names_of_its_own() -> None:
    listening = [line.strip() for line in TEXT.splitlines() if "listen " in line]
    assert listening == ["listen 127.0.0.1:8100 default_server;", "listen 127.0.0.1:8100;"]
    assert "server_name localhost 127.0.0.1 [::1];" in TEXT


def test_further_names_and_another_port_are_taken() -> None:
    text = nginx.config_text(Front(port=9000, hosts=("llm.example.org", "::1")), [], None)
    assert "listen 127.0.0.1:9000;" in text
    assert "server_name llm.example.org [::1];" in text


@pytest.mark.parametrize("name", ["", "a b", "a;b", "a\n", "*", "~x", "$host", "{", "a" * 300])
def test_a_name_that_would_mean_something_to_nginx_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="not a host's name"):
        Front(hosts=(name,))


def test_there_is_no_key_in_it() -> None:
    assert "Authorization" not in TEXT
