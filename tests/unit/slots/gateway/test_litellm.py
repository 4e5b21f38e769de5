from pathlib import Path
from typing import Any

import pytest
import yaml

from lib.engines.vllm.places import Places
from lib.slots.gateway import litellm
from lib.slots.gateway.backends import Backend, named
from lib.slots.gateway.litellm import LiteLLMService

SERVICE = LiteLLMService(program=Path("/opt/berth/litellm-1.110.2"), version="1.110.2")


def included(*models: str) -> dict[str, Any]:
    """berth.yaml as LiteLLM reads it."""
    backends = [
        Backend(model=model, address=f"http://127.0.0.1:{8104 + n}", key_variable=f"KEY_{n}")
        for n, model in enumerate(models)
    ]
    found: dict[str, Any] = yaml.safe_load(litellm.include_text(named(backends)))
    return found


def test_each_backend_is_an_entry_with_its_key_by_reference() -> None:
    assert included("acme/anvil")["model_list"] == [
        {
            "model_name": "anvil",
            "litellm_params": {
                "model": "hosted_vllm/acme/anvil",
                "api_base": "http://127.0.0.1:8104/v1",
                "api_key": "os.environ/KEY_0",
            },
            "model_info": {"disable_background_health_check": True},
        }
    ]


def test_only_one_of_several_servers_is_asked_whether_it_works_and_for_one_token() -> None:
    rows = included("anvil", "anvil", "other")["model_list"]
    assert [row["model_info"] for row in rows] == [
        {"health_check_max_tokens": 1},
        {"health_check_max_tokens": 1},
        {"disable_background_health_check": True},
    ]


def test_a_server_without_a_key_gets_a_word_that_is_none() -> None:
    text = litellm.include_text(named([Backend(model="m", address="http://a:1")]))
    assert yaml.safe_load(text)["model_list"][0]["litellm_params"]["api_key"] == "none"


def test_no_models_are_an_empty_list() -> None:
    assert included()["model_list"] == []


def test_our_file_holds_nothing_but_models_because_other_sections_would_replace_the_users() -> None:
    assert list(included("anvil")) == ["model_list"]


def test_the_settings_are_those_that_were_tried() -> None:
    settings = yaml.safe_load(litellm.config_text())
    assert settings == {
        "include": ["berth.yaml"],
        "general_settings": {
            "master_key": "os.environ/LITELLM_MASTER_KEY",
            "cancel_on_disconnect": True,
            "background_health_checks": True,
            "enable_health_check_routing": True,
            "health_check_interval": 30,
        },
        "router_settings": {"allowed_fails": 1, "cooldown_time": 30, "num_retries": 1},
        "litellm_settings": {"telemetry": False},
    }


def test_it_listens_on_loopback_and_has_no_secret_in_its_command() -> None:
    assert litellm.command(SERVICE, Places()) == [
        "/opt/berth/litellm-1.110.2/bin/litellm",
        "--config",
        "/etc/berth/litellm/config.yaml",
        "--host",
        "127.0.0.1",
        "--port",
        "4000",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "User=berth",
        "EnvironmentFile=/etc/berth/litellm.env",
        "EnvironmentFile=-/etc/berth/litellm-slots.env",
        "Environment=LITELLM_MODE=PRODUCTION",
        "Environment=DISABLE_ADMIN_UI=True",
        "Environment=NO_DOCS=True",
        "Environment=NO_REDOC=True",
        "Environment=NO_OPENAPI=True",
        "Environment=LITELLM_LOCAL_MODEL_COST_MAP=True",
        "Environment=GRACEFUL_SHUTDOWN_TIMEOUT=1800",
        "TimeoutStopSec=1815",
        "Restart=always",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "[X-Berth]",
        "LiteLLM=1.110.2",
    ],
)
def test_the_service_says(line: str) -> None:
    assert line in litellm.unit_text(SERVICE).splitlines()


def test_the_second_one_differs_in_port_and_folders_alone() -> None:
    first, second = (
        litellm.unit_text(SERVICE.model_copy(update={"second": n})).splitlines()
        for n in (False, True)
    )
    changed = [(a, b) for a, b in zip(first, second, strict=True) if a != b]
    folders = ("CacheDirectory=berth/litellm", "/var/cache/berth/litellm")
    for before, after in changed:
        wanted = before.replace("4000", "4001")
        for folder in folders:
            wanted = wanted.replace(folder, f"{folder}-second")
        assert after == wanted
    assert len(changed) == 6


def test_keys_are_lines_of_an_environment_file() -> None:
    text = litellm.keys_text({"SECOND": "b" * 20, "FIRST": "a" * 20, "THIRD": ""})
    assert text == f"FIRST={'a' * 20}\nSECOND={'b' * 20}\n"
