"""The built-in engine's parts that need no child: files, names, options, causes, the log's end."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.engines import keeper, llamacpp_files, llamacpp_launch
from lib.engines.base import StartOptions, State
from lib.engines.llamacpp import ENGINE
from lib.engines.llamacpp_causes import PortTaken, explain
from lib.engines.llamacpp_launch import (
    Launch,
    Program,
    command,
    default_threads,
    environment,
    planned,
)
from lib.engines.process import ProgramFault
from lib.errors import BadInput, BrokenFile, NotFound
from lib.settings import settings
from tests.support.tiny_gguf import write_empty, write_tiny, write_truncated, write_wrong_magic

HOSTILE = [
    "../x",
    "a/../../b",
    "a@/../x",
    "..",
    "",
    "a\0b",
    "x" * 10_000,
    "$(id)",
    "-rf",
    "\u202ex",
]


@pytest.fixture
def models(home: Path) -> Path:
    folder = home / "models"
    folder.mkdir(parents=True)
    return folder


def names() -> list[str]:
    return [file.name for file in llamacpp_files.all_files()]


def test_nothing_is_found_where_there_is_no_folder() -> None:
    assert ENGINE.models() == []


def test_a_file_dropped_in_is_a_model(models: Path) -> None:
    write_tiny(models / "My model (1).gguf")
    [model] = ENGINE.models()
    assert (model.name, model.state, model.engine) == ("My-model-1", State.STOPPED, "llamacpp")
    assert (model.quantization, model.context_trained, model.can_chat) == ("F32", 1024, True)
    assert model.size_bytes == (models / "My model (1).gguf").stat().st_size
    assert model.source == "My model (1).gguf"


def test_a_downloaded_model_tells_its_repository(models: Path) -> None:
    write_tiny(models / "Qwen" / "Tiny-GGUF" / "abc123" / "tiny.gguf")
    assert ENGINE.models()[0].source == "Qwen/Tiny-GGUF"


def test_a_model_without_chat_template_says_so(models: Path) -> None:
    write_tiny(models / "base.gguf", template=None)
    assert ENGINE.models()[0].can_chat is False


def test_the_parts_of_a_divided_model_are_one_model(models: Path) -> None:
    parts = write_tiny(models / "big.gguf", parts=3)
    [model] = ENGINE.models()
    assert (model.name, model.state) == ("big", State.STOPPED)
    assert model.size_bytes == sum(part.stat().st_size for part in parts)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_divided_model_without_one_of_its_parts_names_it(models: Path, missing: int) -> None:
    write_tiny(models / "big.gguf", parts=3)[missing].unlink()
    [model] = ENGINE.models()
    assert model.state == State.FAILED
    assert f"Part {missing + 1} of 3 is missing" in model.problem


@pytest.mark.parametrize(
    "name",
    ["mmproj-tiny.gguf", "tiny.imatrix.gguf", "tiny.gguf.part", ".tiny.gguf", "tiny.safetensors"],
)
def test_by_products_and_partial_downloads_are_left_out(models: Path, name: str) -> None:
    write_tiny(models / "whole.gguf")
    (models / "whole.gguf").rename(models / name)
    assert ENGINE.models() == []


def test_a_file_name_that_is_no_text_is_left_out(models: Path) -> None:
    try:
        for path in (b"/\xff.gguf", b"/\xfe/folder.gguf"):
            write_tiny(Path(os.fsdecode(os.fsencode(models) + path)))
    except OSError:
        pytest.skip("this file system has only names that are text")
    assert ENGINE.models() == []


def test_broken_files_are_shown_with_what_is_wrong(models: Path) -> None:
    write_truncated(models / "cut.gguf")
    write_wrong_magic(models / "magic.gguf")
    write_empty(models / "empty.gguf")
    (models / "page.gguf").write_text("<html>404</html>")
    (models / "gone.gguf").symlink_to(models / "nowhere")
    problems = {model.name: model.problem for model in ENGINE.models()}
    assert "cut short" in problems["cut"]
    assert "not a GGUF file" in problems["magic"]
    assert "is empty" in problems["empty"]
    assert "web page" in problems["page"]
    assert "gone" not in problems
    assert all(model.state == State.FAILED for model in ENGINE.models())


@pytest.mark.parametrize("write", [write_truncated, write_wrong_magic, write_empty])
def test_a_broken_file_is_never_started(models: Path, write: Callable[[Path], Path]) -> None:
    write(models / "bad.gguf")
    with pytest.raises(BrokenFile):
        ENGINE.start("bad", StartOptions())
    assert not (settings().engines / "bad.json").exists()


def test_a_folder_that_is_called_like_a_model_is_looked_into(models: Path) -> None:
    write_tiny(models / "folder.gguf" / "inside.gguf")
    assert names() == ["inside"]


def test_a_repaired_file_is_read_again(models: Path) -> None:
    write_truncated(models / "a.gguf")
    assert ENGINE.models()[0].state == State.FAILED
    write_tiny(models / "a.gguf")
    assert ENGINE.models()[0].state == State.STOPPED


def test_headers_are_read_once_for_all_processes(models: Path) -> None:
    for number in range(200):
        write_tiny(models / f"m{number:03}.gguf")
    before = ENGINE.models()
    assert len(before) == 200
    for path in models.iterdir():  # the same size and time, but no header any more
        times = path.stat()
        with path.open("r+b") as file:
            file.write(b"XXXX")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert ENGINE.models() == before
    write_tiny(models / "new.gguf")
    assert [model for model in ENGINE.models() if model.name != "new"] == before


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"a.gguf": {"name": 1}}', "\0"])
def test_a_damaged_cache_is_made_anew(models: Path, damage: str) -> None:
    write_tiny(models / "a.gguf")
    before = ENGINE.models()
    (settings().engines / "headers.cache").write_text(damage)
    assert ENGINE.models() == before


def test_models_are_found_where_nothing_can_be_written(models: Path) -> None:
    write_tiny(models / "a.gguf")
    settings().engines.write_text("a file where the folder should be")
    assert names() == ["a"]


def test_two_files_of_one_name_are_told_apart_by_their_owners(models: Path) -> None:
    write_tiny(models / "alice" / "repo" / "rev1" / "m.gguf")
    write_tiny(models / "bob" / "repo" / "rev1" / "m.gguf")
    assert names() == ["m", "m@bob"]


def test_two_revisions_are_told_apart_and_a_third_place_too(models: Path) -> None:
    for folder in ("a/r/11112222333", "a/r/99998888777", "b/r/1", "b/r/2", "b/x/2"):
        write_tiny(models / folder / "m.gguf")
        names()
    found = names()
    assert len(set(found)) == 5
    assert {"m", "m@a", "m@b", "m@2"} < set(found)


def test_names_differ_by_more_than_case(models: Path) -> None:
    write_tiny(models / "a" / "Model.gguf")
    write_tiny(models / "b" / "model.gguf")
    assert len({name.casefold() for name in names()}) == 2


def test_a_name_stays_when_its_rival_goes_and_when_it_is_downloaded_again(models: Path) -> None:
    write_tiny(models / "alice" / "m.gguf")
    write_tiny(models / "bob" / "m.gguf")
    assert names() == ["m", "m@bob"]
    ENGINE.remove("m")
    assert names() == ["m@bob"]
    write_tiny(models / "bob" / "m.gguf", context=2048)
    assert names() == ["m@bob"]


@given(
    st.text(
        st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60
    )
)
def test_any_file_name_makes_a_valid_model_name(text: str) -> None:
    first = llamacpp_files._new_name(f"x/y/{text}.gguf", set())
    second = llamacpp_files._new_name(f"x/y/{text}.gguf", {first.casefold()})
    for name in (first, second):
        llamacpp_files.ModelFile(name=name, path="p", size_bytes=1, changed="c")
        assert Path(name).name == name
    assert first.casefold() != second.casefold()


def test_removing_deletes_the_file_and_the_folders_it_leaves_empty(models: Path) -> None:
    write_tiny(models / "a" / "b" / "c" / "m.gguf")
    write_tiny(models / "a" / "other.gguf")
    ENGINE.remove("m")
    assert sorted(path.name for path in models.rglob("*")) == ["a", "other.gguf"]


def test_removing_the_last_model_leaves_the_root(models: Path) -> None:
    write_tiny(models / "a" / "m.gguf")
    ENGINE.remove("m")
    assert list(models.iterdir()) == []


def test_removing_takes_all_parts_and_no_other_file(models: Path) -> None:
    write_tiny(models / "big.gguf", parts=3)
    write_tiny(models / "big-2.gguf", parts=2)
    assert names() == ["big", "big-2"]
    write_tiny(models / "big.gguf")
    ENGINE.remove("big")
    left = sorted(path.name for path in models.iterdir())
    assert left == ["big-2-00001-of-00002.gguf", "big-2-00002-of-00002.gguf", "big.gguf"]


def test_removing_a_link_leaves_what_it_points_to(models: Path, tmp_path: Path) -> None:
    [mine] = write_tiny(tmp_path / "mine" / "m.gguf")
    (models / "link.gguf").symlink_to(mine)
    ENGINE.remove("link")
    assert mine.exists()
    assert not (models / "link.gguf").is_symlink()


def test_a_linked_folder_is_neither_listed_nor_emptied(models: Path, tmp_path: Path) -> None:
    [mine] = write_tiny(tmp_path / "mine" / "m.gguf")
    (models / "folder").symlink_to(mine.parent)
    assert names() == []
    outside = llamacpp_files.ModelFile(name="m", path="folder/m.gguf", size_bytes=1, changed="")
    with pytest.raises(BadInput, match="outside"):
        llamacpp_files.remove(outside)
    assert mine.exists()


@pytest.mark.parametrize("path", ["../m.gguf", "a/../../m.gguf"])
def test_a_path_that_leads_outside_is_not_deleted(models: Path, path: str) -> None:
    [mine] = write_tiny(models.parent / "m.gguf")
    (models / "a").mkdir()
    with pytest.raises(BadInput, match="outside"):
        llamacpp_files.remove(
            llamacpp_files.ModelFile(name="m", path=path, size_bytes=1, changed="")
        )
    assert mine.exists()


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_name_finds_nothing(models: Path, name: str) -> None:
    write_tiny(models / "m.gguf")
    with pytest.raises(NotFound):
        ENGINE.start(name, StartOptions())
    with pytest.raises(NotFound):
        ENGINE.remove(name)
    ENGINE.stop(name)
    assert ENGINE.upstream(name) is None
    assert names() == ["m"]


# Options


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
    assert line[-6:] == ["--ctx-checkpoints", "4", *switches]


def test_an_own_program_gets_the_projector_too() -> None:
    launch = launch_for(1_024, StartOptions()).model_copy(update={"projector": "/m/mmproj.gguf"})
    line = command(launch, Path("unused"), Program(path="/bin/llama-server"))
    assert line[line.index("--mmproj") + 1] == "/m/mmproj.gguf"


def test_the_child_gets_no_settings_and_no_token_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_ARG_CTX_SIZE", "64")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    ours = environment()
    assert "LLAMA_ARG_CTX_SIZE" not in ours
    assert "HF_TOKEN" not in ours
    assert ours["GGML_NO_BACKTRACE"] == "1"
    assert ours["PATH"] == os.environ["PATH"]


# Causes

NO_MAGIC = "0.00.006.216 E gguf_init_from_reader: invalid magic characters: '?Ues', expected 'GGUF'"
CUT = (
    "0.00.134.907 E llama_model_load: error loading model: tensor 'blk.13.ffn_gate.weight' data is"
    " not within the file bounds, model is corrupted or incomplete"
)
NO_KV = (
    "0.03.183.566 E llama_init_from_model: failed to initialize the context: failed to allocate"
    " buffer for kv cache"
)
NO_FILE = (
    "0.00.003.631 E gguf_init_from_file: failed to open GGUF file 'x.gguf' (No such file or"
    " directory)"
)
STRANGE = "0.00.017.448 E llama_model_load: error loading model: unknown model architecture: 'zork'"
NO_OPENMP = "ImportError: libgomp.so.1: cannot open shared object file: No such file or directory"
NO_CUDA = (
    "./llama-server: error while loading shared libraries: libcudart.so.12: cannot open shared"
    " object file: No such file or directory"
)
NO_METAL = "dyld[123]: Library not loaded: @rpath/libggml.dylib\n  Referenced from: <1> /x"
ASSERTED = "/src/ggml.c:12: GGML_ASSERT(a != NULL) failed"
REQUEST = "0.04.923.779 E srv    send_error: task id = 15, error: request (9030 tokens) exceeds"
OTHER = "0.00.1 E cmn common_init: the moon is in the wrong house"


@pytest.mark.parametrize(
    ("log", "code", "message"),
    [
        (NO_MAGIC, 1, "not a GGUF model"),
        (CUT, 1, "cut short or corrupt"),
        (NO_KV, 1, "memory for the context"),
        (NO_FILE, 1, "could not be opened: No such file or directory"),
        (STRANGE, 1, "does not know the architecture “zork”"),
        (NO_OPENMP, 1, "libgomp"),
        ("std::bad_alloc", -6, "memory for the model"),
        ("ModuleNotFoundError: No module named 'xllamacpp'", 1, "is not installed"),
        ("/opt/llama-server cannot be run: No such file or directory.", 1, "cannot be run"),
        (NO_CUDA, 127, "needs the library libcudart.so.12, which"),
        (NO_METAL, -6, "needs the library @rpath/libggml.dylib, which"),
        ("error: invalid argument: --zork\n", 1, "does not know the option --zork"),
        (ASSERTED, -6, "(signal 6): /src/ggml.c:12: GGML_ASSERT"),
        (OTHER, 1, "(exit code 1): cmn common_init: the moon is in the wrong house."),
        (f"{REQUEST}\n", -11, "The engine ended (signal 11)."),
        ("", 0, "The engine ended (exit code 0)."),
        ("", None, "The engine ended."),
        ("", -9, "(signal 9): the system ended it, most often because memory ran out"),
        (CUT, -9, "(signal 9)"),
        ("", -4, "(signal 4): this build uses instructions"),
        ("", -15, "(signal 15): something outside Berth ended it"),
    ],
)
def test_the_cause_is_told_in_words(log: str, code: int | None, message: str) -> None:
    error = explain(log, code)
    assert message in error.message
    assert error.fix


@pytest.mark.parametrize(
    ("log", "code"), [(STRANGE, 1), (NO_CUDA, 127), (ASSERTED, -6), ("", -4), ("", -11), ("", 3)]
)
def test_what_another_program_may_do_better_is_the_programs_fault(log: str, code: int) -> None:
    assert isinstance(explain(log, code), ProgramFault)


@pytest.mark.parametrize(
    ("log", "code"), [(NO_MAGIC, 1), (CUT, 1), (NO_KV, 1), ("bad_alloc", -6), ("", -9), ("", -15)]
)
def test_what_no_program_can_help_is_not_the_programs_fault(log: str, code: int) -> None:
    assert not isinstance(explain(log, code), ProgramFault)


def test_the_first_error_is_the_cause_of_the_later_ones() -> None:
    log = f"{OTHER}\n0.00.2 E srv load_model: failed to load model\nRuntimeError: Failed to init"
    assert "wrong house" in explain(log, 1).message


def test_a_port_that_somebody_took_is_told_apart() -> None:
    log = "0.00.1 E srv start: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 9455"
    assert isinstance(explain(log, 1), PortTaken)


def test_a_server_that_could_not_begin_is_put_down_to_its_port_where_nothing_else_is_known() -> (
    None
):
    log = "RuntimeError: Failed to init server, please check the input params"
    assert isinstance(explain(log, 1), PortTaken)
    for known in ("error: unknown projector type: 'x'", "0.00.2 E srv load_model: failed"):
        assert not isinstance(explain(f"{known}\n{log}", 1), PortTaken)


@given(st.text(), st.none() | st.integers(-64, 255))
def test_every_end_has_a_cause(log: str, code: int | None) -> None:
    assert explain(log, code).message.endswith(".")


# The log's end


def test_a_log_that_grew_too_long_keeps_its_end_while_it_is_written(tmp_path: Path) -> None:
    log = tmp_path / "m.log"
    with log.open("ab", buffering=0) as writer:
        for number in range(keeper.LOG_LIMIT_BYTES // 100 + 1):
            writer.write(f"{number:099}\n".encode())
        keeper.shorten(log)
        writer.write(b"the last line\n")
    lines = log.read_text().splitlines()
    assert log.stat().st_size <= keeper.LOG_KEPT_BYTES + 14
    assert lines[-1] == "the last line"
    assert int(lines[-2]) == keeper.LOG_LIMIT_BYTES // 100
    assert len(lines[0]) == 99


def test_a_short_log_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "m.log"
    log.write_text("one\ntwo\n")
    keeper.shorten(log)
    keeper.shorten(tmp_path / "missing.log")
    assert log.read_text() == "one\ntwo\n"


def test_the_signals_that_explain_themselves_are_signals() -> None:
    for code in range(1, 65):
        assert f"signal {code}" in explain("", -code).message


def test_only_apple_silicon_gets_gpu_layers() -> None:
    assert llamacpp_launch.default_gpu_layers() in (0, llamacpp_launch.ALL_LAYERS)
    if sys.platform != "darwin":
        assert llamacpp_launch.default_gpu_layers() == 0
