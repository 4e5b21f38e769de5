"""What lies on this machine already, on the models page; and what the Hub has anew."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib.core.preferences import preferences
from lib.doctor import registry
from lib.doctor.finding import Finding, Fix, Severity
from lib.doctor.registry import REGISTRY
from lib.engines.llamacpp.stores import Place
from lib.fit.memory import Room
from lib.fleet import adoption, newer
from lib.fleet.adoption import Adoption
from lib.hub.revisions import Newer
from lib.ui import adoption_view
from tests.conftest import ROOT
from tests.support.stores import ollama_store, studio
from tests.support.tiny_gguf import write_tiny, write_truncated
from tests.support.visitors import GUEST, nobody_by_default

PAGE = ROOT / "pages/2_Models.py"
SECONDS = 30

pytestmark = pytest.mark.usefixtures("no_ollama", "models")


@pytest.fixture(autouse=True)
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Adoption]:
    """Two tools' folders, looked through."""
    studio(tmp_path / "studio", "acme/VL-GGUF", "VL-1B-Q8_0.gguf")
    write_tiny(tmp_path / "studio/acme/Other-3B.gguf", context=2048)
    ollama_store(tmp_path / "ollama", "registry.ollama.ai/library/forge/1b")
    places = [Place("LM Studio", tmp_path / "studio"), Place("Ollama", tmp_path / "ollama")]
    fresh = Adoption(lambda own: [*places, *(Place("Your folder", Path(one)) for one in own)])
    monkeypatch.setattr(adoption, "ADOPTION", fresh)
    fresh.look()
    yield fresh
    if fresh.is_looking():
        fresh.look()


def opened(*, is_open: bool = True, user: dict[str, str] | None = None) -> AppTest:
    page = AppTest.from_file(PAGE, default_timeout=SECONDS)
    page.user = dict(user or {})
    page.session_state["adoption"] = is_open
    page.run()
    assert not page.exception
    return page


def texts(page: AppTest) -> str:
    return "\n".join(str(one.value) for one in (*page.markdown, *page.caption))


def labels(page: AppTest) -> list[str]:
    return [one.label for one in page.button]


def title(page: AppTest) -> str:
    [found] = [one.label for one in page.expander if one.label.startswith("Found")]
    return found


def press(page: AppTest, label: str, at: int = 0) -> AppTest:
    [one for one in page.button if one.label == label][at].click().run()
    assert not page.exception
    return page


def test_the_list_is_folded_and_drawn_once_it_is_opened() -> None:
    page = opened(is_open=False)
    assert title(page) == "Found on this machine: 3 models"
    assert "Use it" not in labels(page)
    page = opened()
    assert labels(page).count("Use it") == 3
    shown = texts(page)
    assert r"LM Studio · 467 kB · F32 · context 1,024 · sees images" in shown
    assert shown.count("**Fits.**") == 3
    assert r"The same file as VL\-1B\-Q8\_0 (LM Studio)." in shown
    assert "Looked just now" in shown


def test_one_is_used_and_is_a_model_at_once(home: Path) -> None:
    page = press(opened(), "Use it", at=1)
    [link] = (home / "models").rglob("*.gguf")
    assert link.is_symlink()
    assert r"Is already in Berth as Other\-3B." in texts(page)
    assert any(label.startswith("start-") for label in (one.key or "" for one in page.button))
    assert title(page) == "Found on this machine: 2 models"


def test_several_are_chosen_and_used_together(home: Path) -> None:
    page = opened()
    [use] = [one for one in page.button if one.label == "Use the chosen"]
    assert use.disabled
    for box in page.checkbox[:2]:
        assert box.label.startswith("Choose ")
        box.check()
    page.run()
    press(page, "Use the chosen (2)")
    assert len(list((home / "models").rglob("*.gguf"))) == 2
    assert page.session_state["adoption_chosen"] == []


def test_what_cannot_be_used_says_why_and_has_no_button(tmp_path: Path, ours: Adoption) -> None:
    write_truncated(tmp_path / "studio/acme/Cut.gguf")
    ours.look()
    page = opened()
    assert "cut short" in texts(page)
    assert labels(page).count("Use it") == 3
    assert title(page) == "Found on this machine: 3 models"


def test_one_that_does_not_fit_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adoption_view, "room_now", lambda: Room(free_bytes=9, total_bytes=99))
    assert texts(opened()).count("**Does not fit.**") == 3


def test_a_failed_link_is_told_in_its_row(tmp_path: Path, ours: Adoption) -> None:
    (tmp_path / "studio/acme/Other-3B.gguf").write_bytes(b"GGUF")
    page = press(opened(), "Use it", at=1)
    assert page.error
    assert labels(page).count("Use it") == 3


def test_odd_names_are_shown_letter_for_letter(tmp_path: Path, ours: Adoption) -> None:
    write_tiny(tmp_path / "studio/acme/:red[x] ![i](http:evil) <b>.gguf", context=333)
    ours.look()
    page = opened()
    assert ":red[x]" not in texts(page)
    press(page, "Use it")


def test_many_are_in_pages_and_can_be_searched(tmp_path: Path, ours: Adoption) -> None:
    for number in range(30):
        write_tiny(tmp_path / f"studio/acme/many-{number:02}.gguf", context=400 + number)
    ours.look()
    page = opened()
    assert labels(page).count("Use it") == adoption_view.PER_PAGE
    page.text_input(key="adoption_search").set_value("MANY-07").run()
    assert labels(page).count("Use it") == 1
    page.text_input(key="adoption_search").set_value("nothing like it").run()
    assert "None of them has this in its name" in texts(page)


def test_a_folder_is_added_and_taken_away(tmp_path: Path, ours: Adoption) -> None:
    write_tiny(tmp_path / "disk" / "mine.gguf", context=555)
    page = opened()
    page.text_input(key="adoption_folder").set_value("no/where")
    press(page, "Add the folder")
    assert "whole path" in page.error[0].value
    page.text_input(key="adoption_folder").set_value(str(tmp_path / "disk"))
    press(page, "Add the folder")
    assert not page.error
    assert preferences().model_folders == [str(tmp_path / "disk")]
    ours.look()
    assert "**mine**" in texts(page.run())
    press(page, "Look there no more")
    assert preferences().model_folders == []


def test_it_looks_again(tmp_path: Path, ours: Adoption) -> None:
    page = opened()
    before = ours.known().at
    press(page, "Look again")
    ours.look()
    assert ours.known().at > before


def test_a_look_that_hangs_keeps_no_page_waiting(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "cache" / "found.json").unlink()
    release = threading.Event()

    def hang(_own: object) -> list[Place]:
        release.wait(SECONDS)
        return []

    slow = Adoption(hang)
    monkeypatch.setattr(adoption, "ADOPTION", slow)
    slow.look_again()
    page = opened()
    assert "Looking" in texts(page) and "looking" in title(page)
    release.set()
    slow.look()
    assert "There are none yet" in texts(page.run())


def test_a_guest_sees_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_by_default(monkeypatch)
    page = opened(user=GUEST)
    assert not page.expander
    assert "Use it" not in labels(page)


def test_a_newer_revision_is_a_row_with_the_way_to_it(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny(models / "acme" / "Tiny-GGUF" / ("a" * 40) / "Tiny-Q8_0.gguf")
    found = Newer(repository="acme/Tiny-GGUF", commit="b" * 40, changed_at=time.time() - 2 * 86_400)
    key = f"acme/Tiny-GGUF@{'a' * 40}/Tiny-Q8_0.gguf"
    newer._keep(newer.Known(at=time.time(), newer={key: found}))
    page = opened()
    assert r"**Tiny\-Q8\_0**: the Hub has a newer revision of this." in texts(page)
    assert r"acme/Tiny\-GGUF changed 2 days ago" in texts(page)
    page.button(key="deploy_newer-Tiny-Q8_0").click()
    page.run()
    assert page.session_state["deploy_model"] == "acme/Tiny-GGUF"
    newer.set_checking(False)
    assert "newer revision" not in texts(opened())


def test_many_newer_revisions_are_folded(models: Path) -> None:
    known = {}
    for number in range(5):
        write_tiny(models / "acme" / f"T{number}" / ("a" * 40) / f"t{number}.gguf")
        found = Newer(repository=f"acme/T{number}", commit="b" * 40, changed_at=None)
        known[f"acme/T{number}@{'a' * 40}/t{number}.gguf"] = found
    newer._keep(newer.Known(at=time.time(), newer=known))
    assert "Newer revisions on the Hub (5)" in [one.label for one in opened().expander]


def toggle() -> None:
    """A page with the switch alone, as Settings has it."""
    from lib.ui import adoption_view

    adoption_view.updates_toggle()


def test_the_check_is_switched_off_and_on() -> None:
    page = AppTest.from_function(toggle, default_timeout=SECONDS).run()
    assert page.toggle[0].value
    page.toggle[0].set_value(False).run()
    assert not page.exception
    assert not preferences().checks_for_updates
    page.toggle[0].set_value(True).run()
    assert preferences().checks_for_updates


def test_an_engine_below_its_floor_is_a_line_where_models_run_with_it(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = Finding(
        id="floors:llama.cpp:wheel",
        severity=Severity.HINT,
        title="llama.cpp b1 (the built-in engine) is older than b12405: harm (CVE-1).",
        wanted="The next version.",
        why="It is reached.",
        fix=Fix(label="Update Berth", command="git pull"),
    )
    monkeypatch.setattr(REGISTRY, "_last", registry.Look(at=time.time(), findings=(planted,)))
    monkeypatch.setattr(REGISTRY, "_home", models.parent)
    monkeypatch.setattr(REGISTRY, "_looked", time.monotonic())
    assert "is older than b12405" not in texts(opened()), "there is no model"
    write_tiny(models / "own.gguf")
    assert "is older than b12405" in texts(opened())
