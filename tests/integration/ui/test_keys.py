"""The section of API keys on the Connect page."""

import re
import time
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib.core import owner_key
from lib.core.preferences import preferences
from lib.core.settings import ROOT
from lib.keys import secret as secrets
from lib.keys import spent, store
from lib.keys.key import KeyChange
from lib.ui.keys import made
from tests.support.keys import make
from tests.support.tiny_gguf import write_tiny
from tests.support.visitors import GUEST, nobody_by_default
from tests.support.waiting import until

SECONDS = 30
SECRET = re.compile(r"berth-[a-z2-7]{52}")


def opened() -> AppTest:
    page = AppTest.from_file(ROOT / "pages/6_Connect.py", default_timeout=SECONDS).run()
    assert not page.exception
    return page


def press(page: AppTest, label: str, number: int = 0) -> AppTest:
    [one for one in page.button if one.label == label][number].click().run()
    assert not page.exception
    return page


def buttons(page: AppTest) -> list[str]:
    return [one.label for one in page.button]


def told(page: AppTest) -> str:
    """All that it says, as it is read."""
    parts = (page.caption, page.markdown, page.success, page.warning, page.error, page.code)
    return "\n".join(one.value for part in parts for one in part).replace("\\", "")


def make_on_page(page: AppTest, name: str) -> str:
    """The secret that the page shows then."""
    page.text_input(key="key_name_new").input(name)
    press(page, "Make the key")
    return str(SECRET.findall(told(page))[0])


def test_a_key_is_shown_once_with_a_first_call_in_three_languages() -> None:
    page = opened()
    secret = make_on_page(page, "laptop")
    assert store.proved(secret) == store.all_keys()[0]
    assert f"printf 'Authorization: Bearer %s' {secret}" in told(page)
    assert '"model": "MODEL"' in told(page)
    assert "Put the name of a model in the place of MODEL: none is here yet." in told(page)
    assert "Other machines can use the key while Berth is shared" in told(page)
    for language, said in (("Python", f'api_key="{secret}"'), ("Environment", "OPENAI_API_KEY=")):
        page.segmented_control(key=made.LANGUAGE).set_value(language).run()
        assert said in told(page)
    assert any("QR code of the API key" in str(one.proto) for one in page.get("html"))
    press(page, "I have kept it")
    assert secret not in told(page)
    assert secret not in str(page.session_state)
    assert secrets.hint(secret) in told(page)


def test_the_first_call_asks_a_model_that_the_key_may_use(models: Path) -> None:
    for name in ("a", "b"):
        write_tiny(models / f"{name}.gguf")
    page = opened()
    page.multiselect(key="key_models_new").set_value(["b"])
    make_on_page(page, "laptop")
    assert '"model": "b"' in told(page)
    assert store.all_keys()[0].models == ("b",)


def test_the_fields_are_the_keys_limits_and_empty_afterwards() -> None:
    page = opened()
    day = date.today() + timedelta(days=3)
    page.date_input(key="key_until_new").set_value(day)
    page.number_input(key="key_per_minute_new").set_value(5)
    page.number_input(key="key_tokens_a_day_new").set_value(1000)
    make_on_page(page, "  laptop ")
    [key] = store.all_keys()
    assert (key.name, key.per_minute, key.tokens_a_day, key.models) == ("laptop", 5, 1000, None)
    after = day + timedelta(days=1)
    assert key.expires_at == datetime(after.year, after.month, after.day).timestamp()
    assert f"expires at the end of {day.day} {day:%b %Y}" in told(page)
    assert page.text_input(key="key_name_new").value == ""
    assert page.number_input(key="key_per_minute_new").value is None
    assert page.date_input(key="key_until_new").value is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "a key needs a name"),
        ("guest", "taken by Berth itself"),
        ("TAKEN", "There is a key “TAKEN” already"),
        ("a\u202eb", "without control characters"),
    ],
)
def test_a_name_that_cannot_be_is_refused_in_words_and_stays_in_its_field(
    name: str, said: str
) -> None:
    make("taken")
    page = opened()
    page.text_input(key="key_name_new").input(name)
    press(page, "Make the key")
    assert said in told(page)
    assert (page.text_input(key="key_name_new").value or "") == name
    assert len(store.all_keys()) == 1


def test_a_name_of_markdown_is_shown_to_the_letter() -> None:
    make("**x** [a](http://b) :red[c] <b>")
    assert "**x** [a](http://b) :red[c] <b>" in told(opened())


def test_a_key_is_changed_in_its_own_form() -> None:
    key, _ = make("laptop", per_minute=5, models=["gone"])
    page = press(opened(), "Change")
    assert page.number_input(key=f"key_per_minute_{key.id}").value == 5
    assert page.multiselect(key=f"key_models_{key.id}").value == ["gone"]
    page.text_input(key=f"key_name_{key.id}").input("desk")
    page.number_input(key=f"key_per_minute_{key.id}").set_value(7)
    page.multiselect(key=f"key_models_{key.id}").set_value([])
    press(page, "Save")
    [changed] = store.all_keys()
    assert (changed.name, changed.per_minute, changed.models) == ("desk", 7, None)
    assert "Save" not in buttons(page)
    page = press(press(page, "Change"), "Cancel")
    assert "Save" not in buttons(page)


def test_a_key_is_disabled_and_only_then_deleted_with_a_question() -> None:
    make("laptop")
    page = opened()
    assert "Delete" not in buttons(page)
    press(page, "Disable")
    assert [key.is_disabled for key in store.all_keys()] == [True]
    press(page, "Enable")
    assert [key.is_disabled for key in store.all_keys()] == [False]
    press(press(page, "Disable"), "Delete")
    assert "laptop** is forgotten for good" in told(page)
    press(page, "Keep it")
    assert len(store.all_keys()) == 1
    press(press(page, "Delete"), "Delete the key")
    assert store.all_keys() == []


def test_each_key_says_what_it_may_and_what_it_has_used() -> None:
    key, _ = make("laptop", per_minute=5, tokens_a_day=1000, models=list("abcdef"))
    assert "a, b, c, d and 2 more · never expires · 5 requests a minute · 1,000 tokens a day" in (
        told(opened())
    )
    spent.admit(key)
    spent.note(key.id, 42)
    said = "today 1 request, 5 a minute · 42 of 1,000 tokens · last used just now"
    assert said in told(opened())


def test_states_are_words() -> None:
    key, _ = make("laptop", expires_at=time.time() + 0.05)
    make("phone")
    other, _ = make("desk")
    store.change(other.id, KeyChange(is_disabled=True))
    until(key.is_expired)
    said = told(opened())
    assert [said.count(f"{state}]") for state in ("Active", "Disabled", "Expired")] == [1, 1, 1]
    assert "expired at the end of" in said


def test_whether_programs_on_this_machine_need_one_is_a_switch() -> None:
    page = opened()
    assert "Programs on this machine need none." in told(page)
    page.toggle(key="keys_needed_here").set_value(True).run()
    assert preferences().programs_need_key
    assert owner_key.programs_need_one(["dummy"])
    assert "Programs on this machine need one too." in told(page)
    page.toggle(key="keys_needed_here").set_value(False).run()
    assert not preferences().programs_need_key


def test_a_guest_sees_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    make("laptop")
    nobody_by_default(monkeypatch)
    page = AppTest.from_file(ROOT / "pages/6_Connect.py", default_timeout=SECONDS)
    page.user = dict(GUEST)
    page.run()
    assert "laptop" not in told(page)
    assert "Make the key" not in buttons(page)
    assert "a matter of the owner of this machine" in told(page)
