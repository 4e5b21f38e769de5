"""Looks through folders that are odd, shut, endless, on a dead disk, or change meanwhile."""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.engines.llamacpp import stores
from lib.engines.llamacpp.stores import Place
from lib.fleet import elsewhere
from lib.fleet.adoption import Adoption
from tests.conftest import ROOT
from tests.support.adoption import SECONDS, looked, names, use
from tests.support.tiny_gguf import write_tiny

pytestmark = pytest.mark.usefixtures("no_ollama", "models", "ours")


def test_odd_names_do_no_harm(tools: Path, ours: Adoption) -> None:
    folder = tools / ".lmstudio/models/a b"
    for name in ("<b>x</b>.gguf", "new\nline.gguf", "\u202eesrever.gguf", "$HOME `id`.gguf"):
        write_tiny(folder / name, context=300)
    with contextlib.suppress(OSError):  # some file systems have only names that are text
        write_tiny(folder / "t.gguf")[0].rename(folder / os.fsdecode(b"\xff\xfe.gguf"))
    rows = [row for row in looked(ours) if row.found.context_trained == 300]
    assert len(rows) == 4
    use(ours, *(row.found.path for row in rows))
    assert all(row.is_here_as for row in ours.rows() if row.found.context_trained == 300)


def test_links_in_a_circle_end(tools: Path, ours: Adoption) -> None:
    folder = tools / ".lmstudio/models/acme"
    (folder / "round").symlink_to(tools)
    (folder / "self.gguf").symlink_to(folder / "self.gguf")
    (folder / "gone.gguf").symlink_to(folder / "nowhere.gguf")
    assert len(looked(ours)) == 3


AS_SOMEBODY_ELSE = """
import os, sys
from pathlib import Path
from lib.core import access
from lib.engines.llamacpp.stores import Place
from lib.fleet.elsewhere import Look, Looker
access.own_process()
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
look = Looker().look([Place(name, Path(sys.argv[1]) / name) for name in sys.argv[2:]], Look())
for place in look.places:
    print(place.tool, len(place.models), place.said)
"""


def test_a_folder_without_rights_is_told_and_the_others_go_on() -> None:
    with tempfile.TemporaryDirectory() as made:  # where another user may come to
        folder = Path(made)
        for name in ("open", "shut", "partly"):
            write_tiny(folder / name / "sub" / "m.gguf")
        write_tiny(folder / "partly" / "n.gguf")
        for closed in (folder / "shut", folder / "partly" / "sub"):
            closed.chmod(0)
        folder.chmod(0o755)
        command = [sys.executable, "-c", AS_SOMEBODY_ELSE, made, "open", "shut", "partly", "none"]
        world = {**os.environ, "BERTH_HOME": f"{made}/berth"}
        done = subprocess.run(
            command, cwd=ROOT, env=world, capture_output=True, text=True, timeout=60, check=True
        )
        for closed in (folder / "shut", folder / "partly" / "sub"):
            closed.chmod(0o755)
    assert done.stdout.splitlines() == [
        "open 1 ",
        f"shut 0 {folder}/shut (shut) may not be looked into: "
        "this account has no right to read it.",
        f"partly 1 1 folder in {folder}/partly may not be looked into.",
        "none 0 ",
    ]


def test_a_disk_that_does_not_answer_keeps_nobody_waiting(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a network mount whose server is gone: every call on it hangs."""
    release, begun = threading.Event(), []
    usual = stores.each_in

    def each_in(folder: Path, bounds: object) -> Iterator[stores.Stored]:
        if folder.name == "dead":
            begun.append(folder)
            release.wait(SECONDS)
        return usual(folder, bounds)  # type: ignore[arg-type]

    (tmp_path / "dead").mkdir()
    monkeypatch.setattr(elsewhere, "HANG_SECONDS", 0.2)
    monkeypatch.setattr(stores, "each_in", each_in)
    own = Adoption(lambda _: [*stores.places(), Place(stores.OWN, tmp_path / "dead")])
    assert len(looked(own)) == 3
    assert [said for said in own.seen().said if "does not answer" in said]
    own.look()
    assert len(begun) == 1, "it is not begun a second time while it hangs"
    write_tiny(tmp_path / "dead" / "slow.gguf", context=600)
    [hanging] = own._looker._hanging.values()
    release.set()
    assert hanging.done.wait(SECONDS)
    monkeypatch.setattr("lib.fit.gguf.read_model", lambda path: pytest.fail("read again"))
    assert "slow" in [name for _, name in names(looked(own))], "what came late is known"


def test_a_file_that_vanishes_in_mid_look_is_left_out(
    tools: Path, ours: Adoption, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = stores.each_in

    def each_in(folder: Path, bounds: object) -> Iterator[stores.Stored]:
        for stored in usual(folder, bounds):  # type: ignore[arg-type]
            if stored.path.name == "VL-1B-Q8_0.gguf":
                stored.path.unlink()
            yield stored

    monkeypatch.setattr(stores, "each_in", each_in)
    assert [tool for tool, _ in names(looked(ours))] == ["Hugging Face", "Ollama"]


def test_a_defect_in_one_place_costs_that_place_alone(
    tools: Path, ours: Adoption, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = stores.each_in

    def each_in(folder: Path, bounds: object) -> Iterator[stores.Stored]:
        if folder.name == "hub":
            raise ZeroDivisionError
        return usual(folder, bounds)  # type: ignore[arg-type]

    monkeypatch.setattr(stores, "each_in", each_in)
    assert [tool for tool, _ in names(looked(ours))] == ["Ollama", "LM Studio"]
    assert "could not be looked through" in ours.seen().said[0]


def test_more_models_than_anybody_has_are_cut_off_and_compared_once(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "MOST_MODELS", 300)
    [one] = write_tiny(tmp_path / "many" / "m.gguf")
    for number in range(310):
        os.link(one, tmp_path / "many" / f"m{number:05}.gguf")
    own = Adoption(lambda _: [Place(stores.OWN, tmp_path / "many")])
    rows = looked(own)
    assert len(rows) == 300
    assert "first 300 are listed" in own.seen().said[0]
    assert sum(row.same_as is None for row in rows) == 1
    assert own.rows() is own.rows(), "a page run compares nothing anew"
