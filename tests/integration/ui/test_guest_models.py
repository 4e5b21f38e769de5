"""What a guest is told of models: nothing of the disk, nor of the use of those that are not theirs.

And nothing that anybody wrote into a file becomes more than text.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib.core.access import Role, acting
from lib.core.errors import BrokenFile
from lib.core.preferences import change
from lib.engines import find_model
from lib.engines.base import StartOptions, Usage
from lib.fleet import actions, rules, served
from lib.fleet.ledger import Judgement
from lib.fleet.rules import Rule
from lib.sharing.for_guests import OTHERWISE
from lib.ui.models import listing
from tests.conftest import ROOT
from tests.support.tiny_gguf import write_tiny
from tests.support.visitors import GUEST, OWNER, nobody_by_default

MODELS = ROOT / "pages/2_Models.py"
SECONDS = 30


@pytest.fixture(autouse=True)
def _server(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_by_default(monkeypatch)


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Exception]]:
    """Why models could not be started, by their key."""
    known: dict[str, Exception] = {}
    monkeypatch.setattr(actions, "_failures", known)
    yield known


@pytest.fixture
def used(models: Path) -> None:
    """Two that answered and have rules; one of them is for guests."""
    for name in ("ours", "theirs"):
        write_tiny(models / f"{name}.gguf")
    with acting(Role.OWNER):
        change(guests={"models": ["llamacpp/theirs"], "may_load": True})
        for name in ("ours", "theirs"):
            rules.change(find_model(name), Rule(idle_minutes=30))
            usage = Usage(prompt_tokens=5, completion_tokens=50, tokens_per_second=12.0)
            served.note("llamacpp", name, usage, "")
        served.settle()


def opened(user: dict[str, str], view: str = listing.ROWS) -> AppTest:
    page = AppTest.from_file(MODELS, default_timeout=SECONDS)
    page.user = dict(user)
    page.session_state["models_view"] = view
    page.run()
    assert not page.exception
    return page


def shown(page: AppTest) -> str:
    every = (page.markdown, page.caption, page.error)
    return "\n".join(str(one.value) for found in every for one in found).replace("\\", "")


def about(page: AppTest) -> list[str]:
    return [text.value for text in page.caption if "context" in text.value]


@pytest.mark.usefixtures("used")
def test_how_a_model_is_used_is_told_to_those_who_may_use_it() -> None:
    said = about(opened(GUEST))
    assert len(said) == 2
    told = [one for one in said if "tok/s" in one]
    assert len(told) == 1
    assert "used" in told[0] and "stops after 30 min unused" in told[0]
    [hidden] = [one for one in said if "tok/s" not in one]
    assert "used" not in hidden
    assert all("tok/s" in one and "used" in one for one in about(opened(OWNER)))


@pytest.mark.usefixtures("used")
def test_neither_the_table_nor_its_order_tells_it() -> None:
    with acting(Role.GUEST, "guest-1"):
        found = {one.model.name: one for one in listing._look().every}
        assert (found["ours"].speed, found["ours"].used_at) == (None, None)
        assert found["theirs"].speed and found["theirs"].used_at
    with acting(Role.OWNER):
        assert all(one.speed and one.used_at for one in listing._look().every)


def test_a_link_that_leads_nowhere_tells_a_guest_no_path(models: Path, tmp_path: Path) -> None:
    (models / "x.gguf").symlink_to(tmp_path / "private" / "model.gguf")
    for view in (listing.ROWS, listing.TABLE):
        said = shown(opened(GUEST, view))
        assert "private" not in said
    assert "Its file has gone" in shown(opened(GUEST))
    page = opened(OWNER)
    page.button(key="more-llamacpp-x").click().run()
    page.segmented_control(key="section-llamacpp-x").select("Files").run()
    assert str(tmp_path / "private" / "model.gguf") in shown(page)


def test_why_it_was_not_started_is_told_to_a_guest_without_a_path(
    models: Path, failures: dict[str, Exception]
) -> None:
    write_tiny(models / "a.gguf")
    failures["llamacpp/a"] = BrokenFile("It may not read /srv/secret.", "Look at /srv.")
    said = shown(opened(GUEST))
    assert OTHERWISE in said and "/srv" not in said
    assert "It may not read /srv/secret.** Look at /srv." in shown(opened(OWNER))


def test_a_guest_is_told_that_there_is_no_room_and_offered_nothing_to_stop(
    models: Path, failures: dict[str, Exception]
) -> None:
    for name in ("a", "b"):
        write_tiny(models / f"{name}.gguf")
    with acting(Role.OWNER):
        failures["llamacpp/a"] = Judgement(
            model="a",
            options=StartOptions(),
            needed=10**12,
            free=1,
            has_room=False,
            would_go=(find_model("b"),),
        ).objection
    page = opened(GUEST)
    assert "“a” needs about" in shown(page)
    assert "Stop b" not in shown(page)
    assert [button.key for button in page.button] == ["guest_sign_out"]
    assert "Stop b and start it" in [button.label for button in opened(OWNER).button]


def test_what_stands_in_files_is_drawn_letter_for_letter() -> None:
    def script() -> None:
        from lib.engines.base import Model, State
        from lib.fleet import figures
        from lib.ui.models import rows, told

        broken = Model(
            name="a",
            engine="llamacpp",
            state=State.FAILED,
            problem="It has ![x](http://x/y.png) and :red[z].",
            quantization="**Q4** `x`",
        )
        rows.problem(figures.of_one(broken), "a")
        import streamlit as st

        st.caption(told.facts(figures.of_one(broken)))

    page = AppTest.from_function(script, default_timeout=SECONDS)
    page.user = dict(OWNER)
    page.run()
    assert not page.exception
    [error] = page.error
    assert "\\!\\[x\\]" in error.value
    assert "\\:red\\[z\\]" in error.value
    assert "\\*\\*Q4\\*\\* \\`x\\`" in page.caption[0].value
