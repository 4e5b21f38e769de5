import tempfile
from pathlib import Path

import pytest

from lib.core.errors import EngineError
from lib.engines.llamacpp import oracle
from lib.engines.llamacpp.oracle import ask
from lib.fit.gguf import Header, read_file, read_model
from lib.fit.memory import Load
from lib.fit.skeleton import skeleton
from tests.support.headers import Blueprint, write
from tests.support.plans import asked, blueprint_file
from tests.support.tiny_gguf import write_tiny


def start_of(path: Path, header: Header) -> bytes:
    with path.open("rb") as file:
        return file.read(header.data_offset)


@pytest.mark.parametrize("name", ["Llama-3.2-1B", "Gemma-3-270M", "Qwen3.5-0.8B", "gpt-oss-20b"])
def test_the_estimate_is_close_to_the_plan_of_this_engine(name: str, tmp_path: Path) -> None:
    comparisons = asked(name, blueprint_file(name, tmp_path))
    assert [one for one in comparisons if not one.is_close] == []


def test_the_real_starter_model_is_read_and_planned_as_estimated(starter_file: Path) -> None:
    header = read_file(starter_file)
    assert (header.architecture, header.quantization) == ("qwen2", "Q4_K_M")
    assert header.file_bytes == starter_file.stat().st_size
    assert header.lengths["tokenizer.ggml.tokens"] == 151_936
    for one in asked("starter", starter_file):
        assert one.is_close, one


def test_the_plan_without_a_vocabulary_is_that_of_the_whole_header(starter_file: Path) -> None:
    header = read_file(starter_file)
    start = start_of(starter_file, header)
    small, size = skeleton(header)
    assert len(small) < 30_000
    assert size < header.file_bytes
    load = Load(context=4_096)
    whole = oracle.planned(start, header.file_bytes, load)
    assert oracle.planned(small, size, load) == whole


def test_a_divided_model_is_planned_as_one(tmp_path: Path) -> None:
    [whole] = write_tiny(tmp_path / "whole.gguf")
    first, *_ = write_tiny(tmp_path / "tiny.gguf", parts=3)
    one, parts = read_file(whole), read_model(first)
    plan = ask(parts, lambda: start_of(first, parts), Load())
    assert plan == ask(one, lambda: start_of(whole, one), Load())


def test_an_architecture_the_engine_does_not_know_is_an_error_in_its_words(tmp_path: Path) -> None:
    path = write(tmp_path / "new.gguf", Blueprint("novel", layers=1, width=256, vocabulary=100))
    header = read_file(path)
    with pytest.raises(EngineError, match="cannot plan"):
        ask(header, lambda: start_of(path, header), Load())


def test_a_child_that_says_nothing_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = tmp_path / "silent.py"
    silent.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(oracle, "CHILD", silent)
    monkeypatch.setattr(oracle, "TIMEOUT_SECONDS", 0.3)
    header = read_file(write_tiny(tmp_path / "tiny.gguf")[0])
    with pytest.raises(EngineError):
        ask(header, lambda: start_of(tmp_path / "tiny.gguf", header), Load())


def test_the_child_gets_no_secret_and_no_foreign_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    curious = tmp_path / "curious.py"
    curious.write_text(f"import os\nopen({str(told)!r}, 'w').write(repr(dict(os.environ)))\n")
    monkeypatch.setattr(oracle, "CHILD", curious)
    for name in ("HF_TOKEN", "LLAMA_ARG_CTX_SIZE", "BERTH_HOME"):
        monkeypatch.setenv(name, "never-shown")
    header = read_file(write_tiny(tmp_path / "tiny.gguf")[0])
    with pytest.raises(EngineError):
        ask(header, lambda: start_of(tmp_path / "tiny.gguf", header), Load())
    assert "never-shown" not in told.read_text()
    assert "GGML_NO_BACKTRACE" in told.read_text()


def test_a_model_of_70_gib_is_planned_and_its_hole_is_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    path = blueprint_file("GLM-4.5-Air", tmp_path)
    header = read_file(path)
    plan = ask(header, lambda: start_of(path, header), Load())
    assert plan.model > 70 * 2**30
    assert list(scratch.iterdir()) == []
