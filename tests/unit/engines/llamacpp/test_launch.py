"""With which options, threads and environment the built-in engine starts its child."""

import os
import sys
from pathlib import Path

import pytest

from lib.engines.base import StartOptions
from lib.engines.llamacpp import files as llamacpp_files
from lib.engines.llamacpp import launch as llamacpp_launch
from lib.engines.llamacpp.launch import (
    Launch,
    Program,
    command,
    default_gpu_layers,
    default_threads,
    environment,
    planned,
)
from lib.fit.kinds import Task


def launch_for(trained: int | None, options: StartOptions) -> Launch:
    file = llamacpp_files.ModelFile(
        name="m", path="m.gguf", size_bytes=1, changed="", context_trained=trained
    )
    return planned(file, options, 4711, Path("/keys/m.key"))


@pytest.mark.parametrize(
    ("trained", "options", "context"),
    [
        (32_768, StartOptions(), 8_192),
        (2_048, StartOptions(), 2_048),
        (None, StartOptions(), 4_096),
        (32_768, StartOptions(context=16_384), 16_384),
        (32_768, StartOptions(context=65_536), 32_768),
        (None, StartOptions(context=65_536), 65_536),
        (32_768, StartOptions(slots=4), 4 * 8_192),
        (32_768, StartOptions(context=1_024, slots=3), 3 * 1_024),
    ],
)
def test_the_context_is_counted_over_all_slots(
    trained: int | None, options: StartOptions, context: int
) -> None:
    assert launch_for(trained, options).context == context


@pytest.mark.parametrize(
    ("task", "flags"),
    [
        (Task.EMBEDDING, ["--embedding", "-b", "2048", "-ub", "2048"]),
        (Task.RANKING, ["--reranking", "-b", "2048", "-ub", "2048"]),
    ],
)
def test_what_reads_and_writes_nothing_is_told_so_and_has_a_text_at_once(
    task: Task, flags: list[str]
) -> None:
    file = llamacpp_files.ModelFile(
        name="m", path="m.gguf", size_bytes=1, changed="", context_trained=8_192, task=task,
        reads_at_once=True,
    )  # fmt: skip
    launch = planned(file, StartOptions(prompt_cache_mib=256), 4711, Path("/keys/m.key"))
    assert (launch.context, launch.batch, launch.prompt_cache_mib) == (2_048, 2_048, 0)
    line = command(launch, Path("/o"), Program(path="/usr/bin/llama-server"))
    at = line.index(flags[0])
    assert line[at : at + len(flags)] == flags
    longer = planned(file, StartOptions(context=8_192), 4711, Path("/keys/m.key"))
    assert longer.batch == 8_192
    in_pieces = planned(
        file.model_copy(update={"reads_at_once": False}), StartOptions(), 4711, Path("/keys/m.key")
    )
    assert in_pieces.batch == 512


def test_one_core_is_left_to_the_rest() -> None:
    assert 1 <= default_threads() < max(2, os.cpu_count() or 1)
    assert launch_for(None, StartOptions(threads=7)).threads == 7


def test_the_wheel_is_told_by_a_file() -> None:
    line = command(launch_for(None, StartOptions()), Path("/engines/m.options"))
    assert line[0] == sys.executable
    assert line[1] == "-I"
    assert line[3:] == ["/engines/m.options"]


def test_an_own_program_gets_the_same_launch_as_flags() -> None:
    launch = launch_for(1_024, StartOptions(slots=2, threads=3, prompt_cache_mib=64))
    line = command(launch, Path("unused"), Program(path="/usr/bin/llama-server"))
    assert line[0] == "/usr/bin/llama-server"
    told = dict(zip(line[1:-5:2], line[2:-5:2], strict=True))
    assert told["-m"] == launch.path
    assert (told["-c"], told["-np"], told["-t"]) == ("2048", "2", "3")
    assert (told["--host"], told["--port"]) == ("127.0.0.1", "4711")
    assert (told["--api-key-file"], told["--cache-ram"]) == ("/keys/m.key", "64")
    switches = ["--no-webui", "--metrics", "--slots", "--props", "--no-context-shift"]
    assert line[-5:] == switches
    assert "--mmproj" not in line


def test_an_own_program_is_spared_the_flags_that_it_lacks() -> None:
    lacking = Program(path="/bin/llama-server", without=("--cache-ram", "--no-webui"))
    line = command(launch_for(1_024, StartOptions()), Path("unused"), lacking)
    assert not {"--cache-ram", "256", "--no-webui"} & {*line}
    switches = ["--metrics", "--slots", "--props", "--no-context-shift"]
    assert line[-6:] == ["--ctx-checkpoints", "1", *switches]


def test_an_own_program_gets_the_projector_and_the_template_too() -> None:
    beside = {"projector": "/m/mmproj.gguf", "template": "/m/m.jinja"}
    launch = launch_for(1_024, StartOptions()).model_copy(update=beside)
    line = command(launch, Path("unused"), Program(path="/bin/llama-server"))
    assert line[line.index("--mmproj") + 1] == "/m/mmproj.gguf"
    assert line[line.index("--chat-template-file") + 1] == "/m/m.jinja"


def test_the_child_gets_no_settings_and_no_token_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_ARG_CTX_SIZE", "64")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    ours = environment()
    assert "LLAMA_ARG_CTX_SIZE" not in ours
    assert "HF_TOKEN" not in ours
    assert ours["GGML_NO_BACKTRACE"] == "1"
    assert ours["PATH"] == os.environ["PATH"]


def test_only_apple_silicon_gets_gpu_layers() -> None:
    assert llamacpp_launch.default_gpu_layers() in (0, llamacpp_launch.ALL_LAYERS)
    if sys.platform != "darwin":
        assert llamacpp_launch.default_gpu_layers() == 0


def test_an_engine_gets_what_it_needs_and_nobodys_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "LLAMA_ARG_HOST", "PGPASS"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/lib")
    told = environment()
    assert "secret" not in told.values()
    assert (told["CUDA_VISIBLE_DEVICES"], told["LD_LIBRARY_PATH"]) == ("0", "/opt/lib")
    assert told["PATH"] == os.environ["PATH"]


def test_layers_on_a_card_and_a_draft_model_go_to_an_own_program_where_they_were_chosen() -> None:
    usual = command(launch_for(1_024, StartOptions()), Path("unused"), Program(path="/bin/x"))
    assert not {"-ngl", "-md"} & {*usual}
    launch = launch_for(1_024, StartOptions(gpu_layers=0)).model_copy(update={"draft": "/m/d.gguf"})
    line = command(launch, Path("unused"), Program(path="/bin/x"))
    assert line[line.index("-ngl") + 1] == "0"
    assert line[line.index("-md") + 1] == "/m/d.gguf"
    assert launch.gpu_layers == default_gpu_layers()  # of the wheel, which has no card elsewhere
