"""Settings of other programs: changed so that nothing else is, and put back to the byte."""

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from lib.connect import changes, finding, settings_file
from lib.connect.changes import State
from lib.connect.clients import CLIENTS, Client
from lib.connect.settings_file import Refused
from lib.connect.way import Way
from lib.core.access import Role, acting
from lib.core.errors import Conflict, Forbidden, NotFound

WAY = Way(root="http://127.0.0.1:8501", model="org/big:latest", context=32_768, calls_tools=True)
OTHER = WAY.model_copy(update={"model": "small"})
WITH_KEY = WAY.model_copy(update={"key": SecretStr("secret-key")})
EACH = pytest.mark.parametrize("client", CLIENTS.values(), ids=list(CLIENTS))
BEFORE = {
    "codex": '# mine\nmodel = "gpt-5" # good\n\n[tui]\ntheme = "dark"\n',
    "claude": '{\n    "theme": "dark",\n    "env": {"A": "1"}\n}',
    "opencode": '{\n  // mine\n  "theme": "x",\n  "model": "openai/gpt-5",\n}\n',
    "continue": "name: Mine\nversion: 1.0.0\nmodels:\n  - name: Big # mine\n    model: x\n",
    "llm": "# mine\n- model_id: other\n  model_name: o\n",
}


def lay(client: Client, text: str | None = None) -> Path:
    path = client.file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((BEFORE[client.name] if text is None else text).encode())
    return path


def made(client: Client, way: Way = WAY) -> Path:
    changes.make(client.name, way, changes.look(client, way).seen)
    return client.file()


def read(path: Path) -> Any:
    text = path.read_text("utf-8")
    if path.suffix == ".toml":
        return tomllib.loads(text)
    without = "\n".join(line for line in text.splitlines() if not line.strip().startswith("//"))
    return yaml.safe_load(without.replace("\t", "  "))


@EACH
def test_settings_are_changed_kept_beside_and_put_back_to_the_byte(client: Client) -> None:
    path = lay(client)
    path.chmod(0o640)
    assert changes.look(client, WAY).state == State.NOT_YET
    made(client)
    assert changes.look(client, WAY).state == State.USES
    backup = path.with_name(f"{path.name}.before-berth")
    assert backup.read_text("utf-8") == BEFORE[client.name]
    assert {path.stat().st_mode & 0o777, backup.stat().st_mode & 0o777} == {0o640}
    assert "# mine" in path.read_text("utf-8") or client.kind == "json"
    assert changes.take_back(client.name)
    assert path.read_bytes() == BEFORE[client.name].encode()
    assert not backup.exists()
    assert changes.look(client, WAY).state == State.NOT_YET


@EACH
def test_a_file_that_was_not_there_goes_again(client: Client) -> None:
    path = made(client)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "org/big:latest" in path.read_text("utf-8")
    assert changes.take_back(client.name)
    assert not path.exists()


@EACH
def test_what_somebody_has_changed_since_stays(client: Client) -> None:
    path = lay(client)
    made(client)
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" if client.kind == "json" else "# later\n")
    assert not changes.take_back(client.name)
    text = path.read_text("utf-8")
    assert "127.0.0.1" not in text
    assert "big:latest" not in text
    if client.kind == "json":
        assert text.rstrip() == BEFORE[client.name].rstrip()
    else:
        assert [line for line in BEFORE[client.name].splitlines() if line not in text] == []
        assert text.endswith("# later\n")
    assert path.with_name(f"{path.name}.before-berth").exists()


@EACH
def test_another_model_begins_from_the_first_file(client: Client) -> None:
    path = lay(client)
    made(client)
    seen = changes.look(client, OTHER)
    assert seen.state == State.OTHERWISE
    assert "small" in seen.diff
    made(client, OTHER)
    assert "big:latest" not in path.read_text("utf-8")
    assert len(list(path.parent.glob("*.before-berth*"))) == 1
    assert changes.take_back(client.name)
    assert path.read_text("utf-8") == BEFORE[client.name]


@EACH
def test_the_diff_adds_what_will_stand_there(client: Client) -> None:
    path = lay(client)
    diff = changes.look(client, WAY).diff
    made(client)
    added = [line[1:] for line in diff.splitlines() if line.startswith("+")]
    assert added
    assert all(line in path.read_text("utf-8").splitlines() for line in added)


@EACH
def test_a_key_is_written_where_one_is_needed_and_nowhere_else(client: Client) -> None:
    assert "secret-key" in changes.example(client, WITH_KEY)
    assert "secret-key" not in changes.example(client, WAY)
    assert "secret-key" not in repr(WITH_KEY)


def test_keys_near_what_changes_are_not_shown() -> None:
    secret = "sk-ant-0123456789abcdefghij"
    lay(CLIENTS["claude"], json.dumps({"env": {"ANTHROPIC_API_KEY": secret}}, indent=2))
    diff = changes.look(CLIENTS["claude"], WITH_KEY).diff
    assert "ANTHROPIC_API_KEY" in diff
    assert secret not in diff
    assert "secret-key" not in diff
    made(CLIENTS["claude"], WITH_KEY)
    assert secret in CLIENTS["claude"].file().read_text("utf-8")


def test_codex_speaks_responses_and_its_own_default_comes_back() -> None:
    path = lay(CLIENTS["codex"])
    made(CLIENTS["codex"])
    data = read(path)
    assert data["model_provider"] == "berth"
    assert data["model_context_window"] == 32_768
    assert data["model_providers"]["berth"]["wire_api"] == "responses"
    path.write_text(path.read_text("utf-8").replace("org/big:latest", "chosen"), encoding="utf-8")
    changes.take_back("codex")
    assert read(path) == {"model": "chosen", "tui": {"theme": "dark"}}


def test_claude_code_gets_the_address_without_its_version_and_the_size_of_the_context() -> None:
    lay(CLIENTS["claude"])
    variables = json.loads(made(CLIENTS["claude"]).read_text("utf-8"))["env"]
    assert variables["A"] == "1"
    assert variables["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:8501"
    assert variables["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == "32768"


def test_opencode_is_changed_in_the_file_that_it_reads_last() -> None:
    folder = CLIENTS["opencode"].file().parent
    folder.mkdir(parents=True)
    (folder / "opencode.jsonc").write_text("{}")
    assert made(CLIENTS["opencode"]).name == "opencode.jsonc"


def test_continue_is_not_given_a_file_that_hides_an_older_one() -> None:
    folder = CLIENTS["continue"].file().parent
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    seen = changes.look(CLIENTS["continue"], WAY)
    assert seen.state == State.REFUSED
    assert "config.json" in seen.said


def test_a_link_is_followed_and_stays_one(person: Path) -> None:
    real = person / "dotfiles" / "config.toml"
    real.parent.mkdir()
    real.write_text(BEFORE["codex"])
    (person / ".codex").mkdir()
    (person / ".codex" / "config.toml").symlink_to(real)
    path = made(CLIENTS["codex"])
    assert path.is_symlink()
    assert "berth" in real.read_text("utf-8")
    assert changes.take_back("codex")
    assert real.read_text("utf-8") == BEFORE["codex"]


def test_a_link_to_nothing_is_refused_in_words(person: Path) -> None:
    (person / ".codex").mkdir()
    (person / ".codex" / "config.toml").symlink_to(person / "gone")
    seen = changes.look(CLIENTS["codex"], WAY)
    assert (seen.state, "which is not there" in seen.said) == (State.REFUSED, True)
    (person / "gone").symlink_to(person / ".codex" / "config.toml")
    assert changes.look(CLIENTS["codex"], WAY).state == State.REFUSED


def test_what_is_no_settings_file_is_refused_in_words() -> None:
    path = lay(CLIENTS["codex"], "model = ")
    for text, said in (
        ("model = ", "no TOML"),
        ("x" * (settings_file.LARGEST + 1), "larger than 1 MiB"),
    ):
        path.write_text(text)
        seen = changes.look(CLIENTS["codex"], WAY)
        assert seen.state == State.REFUSED
        assert said in seen.said
        with pytest.raises(Refused, match=said):
            changes.make("codex", WAY, seen.seen)
        assert path.read_text("utf-8") == text
    path.write_bytes(b"\xff\xfe")
    assert "no UTF-8" in changes.look(CLIENTS["codex"], WAY).said
    path.unlink()
    path.mkdir()
    assert "no plain file" in changes.look(CLIENTS["codex"], WAY).said


def test_a_file_of_somebody_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    path = lay(CLIENTS["codex"])
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    assert "belongs to another user" in changes.look(CLIENTS["codex"], WAY).said
    path.unlink()
    assert "belongs to another user" in changes.look(CLIENTS["codex"], WAY).said


def test_a_file_that_was_changed_since_it_was_looked_at_is_left() -> None:
    path = lay(CLIENTS["codex"])
    seen = changes.look(CLIENTS["codex"], WAY).seen
    path.write_text("[a]\n")
    with pytest.raises(Conflict, match="a moment ago"):
        changes.make("codex", WAY, seen)
    assert path.read_text("utf-8") == "[a]\n"


def test_an_older_copy_is_not_written_over() -> None:
    path = lay(CLIENTS["codex"])
    path.with_name("config.toml.before-berth").write_text("of long ago")
    assert changes.make("codex", WAY, changes.look(CLIENTS["codex"], WAY).seen) == (
        path.with_name("config.toml.before-berth2")
    )
    assert path.with_name("config.toml.before-berth").read_text() == "of long ago"


def test_guests_see_and_change_nothing() -> None:
    lay(CLIENTS["codex"])
    with acting(Role.GUEST):
        for act in (
            lambda: changes.look(CLIENTS["codex"], WAY),
            lambda: changes.make("codex", WAY, ""),
            lambda: changes.take_back("codex"),
        ):
            with pytest.raises(Forbidden):
                act()


def test_a_name_that_nobody_knows_is_refused() -> None:
    with pytest.raises(NotFound, match="no such program"):
        changes.make("../x", WAY, "")


def test_clients_are_found_by_program_or_folder(person: Path, tmp_path: Path) -> None:
    assert finding.found() == []
    (person / ".codex").mkdir()
    program = person / ".local" / "bin" / "claude"
    program.parent.mkdir(parents=True)
    program.write_text("")
    program.chmod(0o755)
    on_path = tmp_path / "bin" / "cn"
    on_path.parent.mkdir()
    on_path.write_text("")
    on_path.chmod(0o755)
    assert [one.name for one in finding.found()] == ["codex", "claude", "continue"]


NAMES = st.sampled_from(["model", "env", "provider", "theme", "x y"]) | st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=5
)
VALUES = st.recursive(
    st.booleans() | st.integers(-9, 9) | NAMES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, VALUES, max_size=4), st.sampled_from([None, 1, "\t"]))
@pytest.mark.parametrize("name", ["claude", "opencode"])
def test_whatever_stood_there_comes_back(name: str, data: dict[str, Any], indent: Any) -> None:
    client = CLIENTS[name]
    text = json.dumps(data, indent=indent)
    path = lay(client, text)
    seen = changes.look(client, WAY)
    if seen.state == State.REFUSED:  # a list or a text where names have to be
        assert path.read_text("utf-8") == text
        return
    made(client)
    changed = json.loads(path.read_text("utf-8"))
    ours = {one.place[0] for one in client.settings(WAY)}
    assert {k: v for k, v in changed.items() if k not in ours} == {
        k: v for k, v in data.items() if k not in ours
    }
    path.write_text(path.read_text("utf-8") + "\n")
    assert not changes.take_back(name)
    assert json.loads(path.read_text("utf-8")) == data
    for copy in path.parent.glob("*.before-berth*"):
        copy.unlink()
    path.write_text(text)
    made(client)
    assert changes.take_back(name)
    assert path.read_text("utf-8") == text
