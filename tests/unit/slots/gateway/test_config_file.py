from pathlib import Path

import pytest

from lib.engines.vllm.places import Places
from lib.slots.gateway import config_file, files
from lib.slots.gateway.litellm import config_text


def problems(folder: Path, text: str | None) -> list[str]:
    """What is said of this config.yaml, and that it is as it was."""
    places = Places(root=folder)
    path = files.config(places)
    if text is None:
        return [str(problem) for problem in config_file.problems(places)]
    path.parent.mkdir(parents=True)
    path.write_text(text)
    found = [str(problem) for problem in config_file.problems(places)]
    assert path.read_text() == text
    return found


def test_none_yet_is_no_problem(tmp_path: Path) -> None:
    assert problems(tmp_path, None) == []


def test_the_one_that_we_make_is_no_problem(tmp_path: Path) -> None:
    assert problems(tmp_path, config_text()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [b\nc: d", "line 2"),
        ("\tx: y", "line 1"),
        ("just words", "holds no settings"),
        ("", "holds no settings"),
        (config_text().replace("include: [berth.yaml]", ""), "does not include berth.yaml"),
        (config_text().replace("[berth.yaml]", "[mine.yaml]"), "does not include berth.yaml"),
        (config_text().replace("  master_key:", "  master_kex:"), "names no master key"),
        (
            config_text().replace("os.environ/LITELLM_MASTER_KEY", "sk-1234"),
            "names no master key of your own",
        ),
    ],
)
def test_what_its_user_broke_is_said_and_left_alone(tmp_path: Path, text: str, said: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert said in problem


def test_settings_of_the_users_own_are_no_problem(tmp_path: Path) -> None:
    assert problems(tmp_path, f"{config_text()}\ncallbacks: [x]\nmodel_list: []\n") == []
