"""The service of a slot as text: what it says, and that nothing in a name can make it say more."""

import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core.errors import BadInput
from lib.core.names import model_name, repo_name
from lib.core.unit_words import assigned, quoted
from lib.engines.vllm.units import mark_of, unit_of
from lib.slots.unit_text import (
    Node,
    SlotService,
    command,
    environment,
    preparation_text,
    unit_text,
)
from tests.support.unit_files import executed, parsed, words

CARD = "GPU-b91cf976-48e1-56e5-a000-e7b557f2c8d5"
USUAL: Mapping[str, Any] = {
    "slot": 1,
    "model": "acme/Anvil-8B",
    "revision": "a" * 40,
    "served_name": "anvil",
    "folder": Path("/var/lib/berth/models/acme/Anvil-8B/a"),
    "program": Path("/opt/berth/vllm-0.33.0"),
    "vllm": "0.33.0",
    "cards": (CARD,),
    "home": "/home/kim/.berth",
    "written": "2026-11-27T21:00:00Z",
}
HEAD = Node(
    rank=0,
    count=2,
    address="10.0.0.1",
    head="10.0.0.1",
    head_port=29501,
    interface="eno1",
    peers=("10.0.0.1", "10.0.0.2"),
)
SECOND = HEAD.model_copy(update={"rank": 1, "address": "10.0.0.2"})


def service(**changes: Any) -> SlotService:
    return SlotService(**{**USUAL, **changes})


def values(text: str, key: str, section: str = "Service") -> list[str]:
    return [value for name, value in parsed(text)[section] if name == key]


def options(service: SlotService) -> dict[str, str]:
    """Each flag of the engine with what comes after it."""
    line = command(service)
    return {
        w: line[n + 1] if n + 1 < len(line) else "" for n, w in enumerate(line) if w[:2] == "--"
    }


def test_the_engine_is_started_as_it_has_to_be() -> None:
    flags = options(service(context=None))
    assert command(service())[:3] == [
        "/opt/berth/vllm-0.33.0/bin/vllm",
        "serve",
        "/var/lib/berth/models/acme/Anvil-8B/a",
    ]
    assert flags["--served-model-name"] == "anvil"
    assert (flags["--host"], flags["--port"]) == ("127.0.0.1", "8105")
    assert flags["--max-model-len"] == "auto"
    assert flags["--gpu-memory-utilization"] == "0.92"
    assert flags["--shutdown-timeout"] == "30"
    assert flags["--disable-access-log-for-endpoints"] == "/health,/metrics"
    assert flags["--sse-keep-alive-interval"] == "15"
    assert flags["--fingerprint-mode"] == "none"
    assert "--disable-fastapi-docs" in flags


def test_a_context_that_was_asked_for_is_given_and_never_8192_by_itself() -> None:
    assert options(service(context=16384))["--max-model-len"] == "16384"
    assert "8192" not in unit_text(service())


@pytest.mark.parametrize(
    "flag",
    ["--trust-remote-code", "--api-key", "--enable-log-requests", "--enable-prompt-embeds"],
)
def test_what_would_open_the_engine_is_never_there(flag: str) -> None:
    assert flag not in command(service())
    assert "VLLM_SERVER_DEV_MODE" not in unit_text(service())


def test_what_is_wanted_only_sometimes() -> None:
    usual = options(service())
    for flag in ("--tensor-parallel-size", "--quantization", "--limit-mm-per-prompt", "--dtype"):
        assert flag not in usual
    flags = options(
        service(
            tensor_parallel=4,
            quantization="fp8_per_tensor",
            is_text_only=True,
            needs_half=True,
            kv_cache="fp8",
        )
    )
    assert flags["--tensor-parallel-size"] == "4"
    assert flags["--quantization"] == "fp8_per_tensor"
    assert flags["--limit-mm-per-prompt"] == '{"image":0,"video":0}'
    assert (flags["--dtype"], flags["--kv-cache-dtype"]) == ("half", "fp8")


def test_the_administrators_arguments_come_last() -> None:
    added = ("--gpu-memory-utilization", "0.5")
    assert command(service(extra_arguments=added))[-2:] == list(added)


def test_its_environment() -> None:
    told = environment(service(extra_environment={"NCCL_DEBUG": "WARN"}))
    assert told["CUDA_VISIBLE_DEVICES"] == CARD
    assert told["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert told["HF_HUB_OFFLINE"] == "1"
    assert told["VLLM_HOST_IP"] == "127.0.0.1"
    assert told["VLLM_ENGINE_READY_TIMEOUT_S"] == "3600"
    assert told["VLLM_MAX_N_SEQUENCES"] == "16"
    assert told["HOME"] == told["XDG_CACHE_HOME"] == "/var/cache/berth/slot-1"
    assert told["TMPDIR"] == "/var/cache/berth/slot-1/tmp"
    assert told["NCCL_DEBUG"] == "WARN"
    text = unit_text(service())
    assert values(text, "UnsetEnvironment") == ["PYTHONOPTIMIZE"]
    assert values(text, "EnvironmentFile") == ["/etc/berth/slot-1.env"]
    assert values(text, "CacheDirectory") == ["berth/slot-1 berth/slot-1/tmp"]


def test_it_comes_back_whatever_its_exit_code_and_not_for_ever() -> None:
    text = unit_text(service())
    assert values(text, "Restart") == ["always"]
    assert values(text, "RestartSec") == ["15"]
    assert values(text, "RestartPreventExitStatus") == ["2"]
    assert values(text, "SuccessExitStatus") == ["130 143 SIGINT"]
    assert values(text, "StartLimitIntervalSec", "Unit") == ["1h"]
    assert values(text, "StartLimitBurst", "Unit") == ["4"]
    assert "RestartSteps" not in text


def test_a_stop_waits_longer_than_the_engine_does() -> None:
    text = unit_text(service())
    assert values(text, "KillMode") == ["mixed"]
    assert values(text, "TimeoutStopSec") == ["60"]


def test_what_cuda_needs_is_not_forbidden() -> None:
    text = unit_text(service())
    for key in ("MemoryDenyWriteExecute", "ProcSubset", "PrivateDevices", "ProtectClock"):
        assert values(text, key) == []
    devices = [value.split()[0] for value in values(text, "DeviceAllow")]
    for name in ("nvidia", "nvidiactl", "nvidia-uvm", "nvidia-caps", "nvidia-frontend"):
        assert f"char-{name}" in devices
    assert values(text, "RestrictAddressFamilies") == ["AF_INET AF_INET6 AF_UNIX AF_NETLINK"]
    assert values(text, "SystemCallFilter") == ["@system-service pidfd_getfd"]
    assert values(text, "LimitMEMLOCK") == ["infinity"]
    assert values(text, "ExecStartPre") == ["+-/usr/bin/nvidia-modprobe -c0 -u"]


def test_the_device_files_are_made_before_systemd_looks_which_there_are() -> None:
    text = unit_text(service())
    assert values(text, "Wants", "Unit") == ["berth-nvidia.service"]
    assert "berth-nvidia.service" in values(text, "After", "Unit")[0]
    assert values(preparation_text(), "ExecStart") == ["-/usr/bin/nvidia-modprobe -c0 -u"]
    assert mark_of(preparation_text())


def test_its_mark_says_what_it_is_for() -> None:
    text = unit_text(service(context=4096))
    unit = unit_of("berth-slot-1.service", mark_of(text))
    assert (unit.slot, unit.model, unit.served_name) == (1, "acme/Anvil-8B", "anvil")
    assert (unit.cards, unit.context, unit.vllm) == ((CARD,), 4096, "0.33.0")
    assert unit.home == "/home/kim/.berth"
    assert mark_of(unit_text(service()))["Context"] == "auto"


def test_over_several_machines_the_head_answers_and_the_others_follow() -> None:
    head, second = command(service(), HEAD), command(service(), SECOND)
    assert "--headless" not in head
    assert "--headless" in second
    assert "--port" not in second
    for line, rank in ((head, "0"), (second, "1")):
        flags = dict(itertools.pairwise(line))
        assert (flags["--nnodes"], flags["--node-rank"]) == ("2", rank)
        assert (flags["--master-addr"], flags["--master-port"]) == ("10.0.0.1", "29501")
        assert flags["--pipeline-parallel-size"] == "2"
    told = environment(service(), SECOND)
    assert told["VLLM_HOST_IP"] == "10.0.0.2"
    assert told["NCCL_SOCKET_IFNAME"] == told["GLOO_SOCKET_IFNAME"] == "eno1"
    assert "CUDA_VISIBLE_DEVICES" not in told
    assert values(unit_text(service(), HEAD), "IPAddressAllow") == [
        "localhost",
        "10.0.0.1",
        "10.0.0.2",
    ]


@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\x1b", "\u2028", "\ud800"])
def test_a_character_that_ends_a_line_is_refused(character: str) -> None:
    for make in (quoted, lambda text: assigned("NAME", text)):
        with pytest.raises(BadInput):
            make(f"a{character}b")
    with pytest.raises(BadInput):
        unit_text(service(home=f"/a{character}b"))


def test_a_value_that_would_take_the_next_line_in_is_refused() -> None:
    with pytest.raises(BadInput):
        unit_text(service(home="/home/kim\\"))


# All that is visible, and often what means something in a unit file.
VISIBLE = st.lists(
    st.sampled_from("%$\"'\\;#=[]{}@-+!:~*` ")
    | st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=5),
    max_size=12,
).map("".join)


@given(VISIBLE)
def test_a_word_comes_out_as_it_went_in(word: str) -> None:
    assert executed(f"/bin/x {quoted(word)} end")[1:] == [word, "end"]


@given(VISIBLE)
def test_a_variable_comes_out_as_it_went_in(value: str) -> None:
    line = assigned("NAME", value).removeprefix("Environment=")
    assert [word.replace("%%", "%") for word in words(line)] == [f"NAME={value}"]


KEYS = [(section, key) for section, rows in parsed(unit_text(service())).items() for key, _ in rows]


@given(
    st.from_regex(re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}/[A-Za-z0-9][A-Za-z0-9._-]{0,20}")),
    st.from_regex(re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+/-]{0,30}")),
    VISIBLE,
)
def test_no_name_and_no_path_changes_the_shape_of_the_file(
    model: str, served_name: str, path: str
) -> None:
    try:
        repo_name(model)
        model_name(served_name)
    except BadInput:
        return
    subject = service(model=model, served_name=served_name, folder=Path(f"/var/{path}"))
    sections = parsed(unit_text(subject))
    assert [(name, key) for name, rows in sections.items() for key, _ in rows] == KEYS
    [line] = [value for key, value in sections["Service"] if key == "ExecStart"]
    assert executed(line) == command(subject)


@given(st.lists(VISIBLE, max_size=5))
def test_what_the_administrator_adds_stays_words(added: list[str]) -> None:
    subject = service(extra_arguments=tuple(added))
    [line] = values(unit_text(subject), "ExecStart")
    assert executed(line)[-len(added) or len(line) :] == added
