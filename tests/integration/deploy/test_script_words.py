"""What deploy_cpu.sh takes: names, paths, options, and where it is started."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.clone import bash
from tests.support.deployment import REPOSITORY, SCRIPT, Script, last_line

pytestmark = pytest.mark.usefixtures("nothing_left_running")


@pytest.mark.parametrize(
    "arguments",
    [
        [f"{REPOSITORY}:Q4_K_M"],
        [f"hf.co/{REPOSITORY}:q4_k_m"],
        [f"https://huggingface.co/{REPOSITORY}/blob/main/Tiny-Q4_K_M.gguf"],
        [f"{REPOSITORY}/Tiny-Q4_K_M.gguf"],
        [f"{REPOSITORY}:Tiny-Q4_K_M.gguf"],
        [REPOSITORY, "Tiny-Q4_K_M.gguf"],
        [REPOSITORY, "--file", "Tiny-Q4_K_M.gguf"],
        [REPOSITORY, "--file=Tiny-Q4_K_M.gguf", "--revision=main"],
        [REPOSITORY, "--quant", "Tiny-Q4_K_M"],
        [f"hf download {REPOSITORY} Tiny-Q4_K_M.gguf"],
        ["hf", "download", "--local-dir", "a b", REPOSITORY, "Tiny-Q4_K_M.gguf"],
        ["ollama", "run", f"hf.co/{REPOSITORY}:Q4_K_M"],
        ["llama", "serve", "--jinja", "-hf", f"{REPOSITORY}:Q4_K_M"],
        ["./build/bin/llama-server", "-c", "512", "-hf", f"{REPOSITORY}:Q4_K_M"],
        ["lms", "get", f"{REPOSITORY}@Q4_K_M", "-y"],
        ["llamafile", "-c", "512", "-hf", f"{REPOSITORY}:Q4_K_M"],
        [f"[it](https://huggingface.co/{REPOSITORY}/blob/main/Tiny-Q4_K_M.gguf)"],
        [f"“{REPOSITORY}:Q4_K_M”."],
        [f"```\n$ llama-server -hf {REPOSITORY}:Q4_K_M\n```"],
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("tiny")
def test_what_other_tools_call_a_file_is_that_file(script: Script, arguments: list[str]) -> None:
    done = script.run(*arguments, "--dry-run", "--engine", "llamacpp")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"hub_files {REPOSITORY}" in done.stdout
    assert "Chosen: Q4_K_M " in done.stdout


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("/x/y.gguf", "/x/y.gguf"),
        ("y.gguf", "{}/y.gguf"),
        ("sub dir/it is.gguf", "{}/sub dir/it is.gguf"),
        ("sub dir/not.gguf", "sub dir/not.gguf"),
        ("./org/name", "{}/./org/name"),
        ("../y", "{}/../y"),
        ("folder", "{}/folder"),
        ("folder/", "{}/folder/"),
        ("org/name", "org/name"),
        ("org/name/x.gguf", "org/name/x.gguf"),
        ("org/name:x.gguf", "org/name:x.gguf"),
        ("https://huggingface.co/a/b/blob/main/x.gguf", "{same}"),
        ("ollama run hf.co/a/b:x.gguf", "{same}"),
        ("org/file.gguf", "{}/org/file.gguf"),
    ],
)
def test_a_path_is_told_from_what_the_hub_calls_it(
    script: Script, tmp_path: Path, typed: str, means: str
) -> None:
    for name in ("folder", "org/name", "sub dir"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "sub dir" / "it is.gguf").touch()
    done = script.call(f"cd '{tmp_path}'; whole_path '{typed}'")
    assert done.stdout == means.format(tmp_path, same=typed)


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("ollama", 0),
        ("llama-server", 0),
        ("/opt/llama.cpp/llama-cli", 0),
        ("koboldcpp-linux-x64", 0),
        ("llama-2-7b.Q4_K_M.gguf", 1),
        ("/home/me/my models/llama-2-7b.GGUF", 1),
        ("acme/llama-3-8b-gguf", 1),
    ],
)
def test_a_model_that_is_called_like_a_program_is_no_command(
    script: Script, word: str, code: int
) -> None:
    assert script.call(f"is_tool '{word}'").returncode == code


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Which model?"),
        (["a/b", "c/d"], "One model at a time"),
        (["a/b", "--frobnicate"], "Unknown option: --frobnicate"),
        (["a/b", "--context"], "--context needs a value"),
        (["a/b", "--context", "many"], "--context needs a number"),
        (["a/b", "--context", "-5"], "--context needs a number"),
        (["a/b", "--slots=0"], "--slots needs a number"),
        (["a/b", "--engine", "vllm"], "No such engine: vllm"),
        (["a/b", "--kv-type", "q2"], "No such type of cache: q2"),
        (["a/b", "--quant", "/Q4_K_M"], "is not a quantization"),
        (["a/b:Q4_K_M", "--quant", "Q8_0"], "Is it “Q8_0” or “Q4_K_M”?"),
        (["a/b", "--file", "../x.gguf"], "is not the path of a file in a repository"),
        (["a/b", "--revision", "a..b"], "is not a revision"),
        (["a/b; rm -rf ~"], "is not a repository name"),
        (["../../nowhere-at-all"], "is not the path of a GGUF file"),
        (["ollama", "run", "llama3.2"], "is not a repository name"),
        (["a/\u202eb"], "characters that cannot be seen"),
        (["a/" + "b" * 10_000], "10,002 characters"),
        (["/nowhere/a.gguf"], "There is no file"),
    ],
)
def test_bad_input_ends_with_2_and_says_what_is_wrong(
    script: Script, arguments: list[str], said: str
) -> None:
    done = script.run(*arguments)
    assert done.returncode == 2
    assert said in done.stdout + done.stderr
    assert (script.told.parent / "exit_code.self").read_text() == "2\n"


@pytest.mark.parametrize("name", ["deploy_cpu.sh", "deploy_model.sh", "setup.sh"])
def test_a_script_finds_its_own_folder_however_it_is_started(tmp_path: Path, name: str) -> None:
    real, elsewhere = ROOT / name, tmp_path / "else where"
    (elsewhere / ROOT.name).mkdir(parents=True)
    (tmp_path / "one").symlink_to(real)
    (elsewhere / "two").symlink_to("../one")
    started = [
        ([str(real)], elsewhere, {}),
        ([f"./{name}"], ROOT, {}),
        ([f"{ROOT.name}/{name}"], ROOT.parent, {"CDPATH": str(elsewhere)}),
        ([str(tmp_path / "one")], elsewhere, {"CDPATH": str(elsewhere)}),
        (["./two"], elsewhere, {}),
    ]
    for arguments, folder, more in started:
        done = subprocess.run(
            [bash(), *arguments, "--help"],
            cwd=folder,
            env={**os.environ, **more},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("\n") or "Exit codes:" in done.stdout
        assert done.stderr == ""


def test_help_is_the_header(script: Script) -> None:
    done = script.run("--help")
    assert done.returncode == 0
    assert "--dry-run" in done.stdout
    assert "Exit codes:" in done.stdout


def test_sourced_for_tests_it_does_nothing(script: Script) -> None:
    done = script.call("type main >/dev/null && echo sourced")
    assert (done.returncode, done.stdout) == (0, "sourced\n")


def test_without_setup_it_says_so(tmp_path: Path) -> None:
    copy = shutil.copy(SCRIPT, tmp_path)
    done = subprocess.run([bash(), copy, "a/b"], capture_output=True, text=True)
    assert done.returncode == 7
    assert "./setup.sh" in last_line(done)
