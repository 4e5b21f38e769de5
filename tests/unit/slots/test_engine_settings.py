"""What an administrator may add to every engine, and what nobody may."""

import os
from pathlib import Path

import pytest

from lib.core.errors import BadInput
from lib.engines.vllm.places import Places
from lib.slots.engine_settings import EngineSettings, engine_settings, is_roots


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = Places(root=tmp_path).settings / "engine.toml"
    path.parent.mkdir(parents=True)
    return path


def told(file: Path, text: str) -> EngineSettings:
    file.write_text(text)
    file.chmod(0o644)
    return engine_settings(Places(root=file.parents[2]))


def test_without_the_file_nothing_is_added(tmp_path: Path) -> None:
    assert engine_settings(Places(root=tmp_path)) == EngineSettings()


def test_all_that_can_be_set(file: Path) -> None:
    found = told(
        file,
        'program = "/opt/vllm"\nmax_num_seqs = 32\narguments = ["--dtype", "half"]\n'
        'environment = { NCCL_DEBUG = "WARN" }\n',
    )
    assert found.program == Path("/opt/vllm")
    assert found.max_num_seqs == 32
    assert found.arguments == ("--dtype", "half")
    assert found.environment == {"NCCL_DEBUG": "WARN"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('arguments = ["--trust-remote-code"]', "may not hold --trust-remote-code"),
        ('arguments = ["--trust_remote_code"]', "may not hold"),
        ('arguments = ["--trust-remote"]', "may not hold"),
        ('arguments = ["--api-key=x"]', "may not hold"),
        ('arguments = ["--host", "0.0.0.0"]', "may not hold --host"),
        ('arguments = ["--enable-prompt-embeds"]', "may not hold"),
        ('environment = { VLLM_SERVER_DEV_MODE = "1" }', "may not set VLLM_SERVER_DEV_MODE"),
        ('environment = { PYTHONOPTIMIZE = "1" }', "may not set PYTHONOPTIMIZE"),
        ("environment = { 'A B' = '1' }", "may not set A B"),
        ("max_num_seqs = 0", "max_num_seqs"),
        ("port = 1", "port"),
        ("arguments = [", "cannot be understood"),
        ("\x00", "cannot be understood"),
    ],
)
def test_what_would_open_the_engine_or_makes_no_sense_is_refused(
    file: Path, text: str, said: str
) -> None:
    with pytest.raises(BadInput) as caught:
        told(file, text)
    assert said in caught.value.message
    assert str(file) in caught.value.message


def test_a_file_that_others_may_change_is_not_trusted(file: Path) -> None:
    file.write_text("max_num_seqs = 8")
    file.chmod(0o666)
    with pytest.raises(BadInput, match="can be changed by others than root"):
        engine_settings(Places(root=file.parents[2]))


@pytest.mark.parametrize(
    ("mode", "owner", "is_trusted"),
    [(0o100644, 0, True), (0o100664, 0, False), (0o100646, 0, False), (0o100644, 1000, False)],
)
def test_only_what_root_alone_can_change_is_trusted(
    mode: int, owner: int, is_trusted: bool
) -> None:
    facts = os.stat_result((mode, 0, 0, 1, owner, 0, 0, 0, 0, 0))
    assert is_roots(facts, Path("/")) == is_trusted
