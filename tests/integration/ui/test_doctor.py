"""The doctor on the System page and in the sidebar, as the owner and as a guest."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from streamlit.testing.v1 import AppTest

from lib.doctor import registry, report
from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.doctor.registry import REGISTRY
from lib.ui import markdown
from lib.ui.doctor import section
from tests.conftest import ROOT
from tests.support.visitors import GUEST, nobody_by_default

SYSTEM, HOME = ROOT / "pages/4_System.py", ROOT / "Home.py"
SECONDS = 30


@pytest.fixture(autouse=True)
def found() -> Iterator[list[Finding]]:
    """What one check finds, to be changed; the registry begins anew."""
    findings: list[Finding] = []
    check = Check("planted", lambda: None, lambda _facts: list(findings))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(REGISTRY, "_checks", lambda: (check,))
        patch.setattr(REGISTRY, "_last", registry.Look())
        yield findings


def planted(name: str, severity: Severity = Severity.WARNING, **fix: str) -> Finding:
    return Finding(
        id=name,
        severity=severity,
        title=f"{name} *is* wrong.",
        wanted="Right.",
        why="It matters.",
        fix=Fix.model_validate({"label": "Mend it", **fix}),
    )


def opened(path: Path = SYSTEM, user: dict[str, str] | None = None) -> AppTest:
    page = AppTest.from_file(path, default_timeout=SECONDS)
    page.user = dict(user or {})
    page.run()
    assert not page.exception
    return page


def looked(*, again: bool = False) -> AppTest:
    """The page after a look."""
    if again:
        REGISTRY.forget()
    REGISTRY.look()
    return opened()


def texts(page: AppTest) -> str:
    return "\n".join(str(one.value) for one in (*page.markdown, *page.caption))


def test_before_the_first_look_the_page_does_not_wait() -> None:
    assert "Looking at the machine" in texts(opened())
    REGISTRY.look()


def test_home_shows_what_needs_a_person_and_nothing_where_all_is_well(found: list[Finding]) -> None:
    REGISTRY.look()
    assert "Needs you" not in [one.value for one in opened(HOME).header]
    found += [planted("hint", Severity.HINT, command="uname -a")]
    found += [planted(f"wrong{number}", page="Models") for number in range(4)]
    REGISTRY.forget()
    REGISTRY.look()
    page = opened(HOME)
    assert "Needs you" in [one.value for one in page.header]
    shown = texts(page)
    assert "wrong0" in shown
    assert "wrong3" not in shown
    assert "hint" not in shown
    assert "wrong0" not in texts(opened(HOME, GUEST))


def commands(page: AppTest) -> list[str]:
    """What can be copied."""
    lines = page.get("bidi_component")
    return [json.loads(line.proto.json)["text"] for line in lines]


def test_all_well_is_one_quiet_sentence() -> None:
    page = looked()
    assert markdown.plain(report.ALL_WELL) in texts(page)
    assert not page.success


def test_findings_are_rows_the_worst_first(found: list[Finding]) -> None:
    found += [
        planted("hint", Severity.HINT, command="uname -a"),
        planted("urgent", Severity.URGENT, page="Models"),
    ]
    page = looked()
    rows = [text.value for text in page.markdown if "wrong" in text.value]
    assert [row.partition("]")[0] for row in rows] == [":red-badge[Urgent", ":gray-badge[Hint"]
    assert r"urgent \*is\* wrong" in rows[0]
    assert commands(page) == ["uname -a"]
    assert markdown.plain("Should be: right") in texts(page)


def test_a_button_mends_and_the_page_looks_again(home: Path, found: list[Finding]) -> None:
    home.mkdir()
    home.chmod(0o755)
    found.append(planted("open", action="close_home"))
    page = looked()
    found.clear()
    page.button(key=f"mend-{planted('open', action='close_home').fingerprint}").click().run()
    assert home.stat().st_mode & 0o077 == 0
    REGISTRY.look()
    assert "open" not in texts(page.run())


def test_what_goes_for_good_is_asked_once(found: list[Finding]) -> None:
    finding = planted("old", action="remove_partials", asks="3 GB go.")
    found.append(finding)
    page = looked()
    page.button(key=f"mend-{finding.fingerprint}").click().run()
    assert "3 GB go" in texts(page)
    page.button(key="doctor_keep").click().run()
    assert "3 GB go" not in texts(page)
    assert page.button(key=f"mend-{finding.fingerprint}").label == "Mend it"


def test_a_mend_that_fails_says_why(found: list[Finding]) -> None:
    finding = planted("link", action="remove_link", subject="gone.gguf")
    found.append(finding)
    page = looked()
    page.button(key=f"mend-{finding.fingerprint}").click().run()
    assert "leads somewhere by now, or is gone" in page.error[0].value


def test_an_ignored_finding_is_folded_and_can_be_shown_again(found: list[Finding]) -> None:
    finding = planted("old", command="true")
    found.append(finding)
    page = looked()
    page.button(key=f"ignore-{finding.fingerprint}").click().run()
    assert not commands(page)
    assert "Ignored (1)" in [one.label for one in page.expander]
    page.button(key=f"show-{finding.fingerprint}").click().run()
    assert commands(page) == ["true"]


def test_the_sidebar_counts_what_needs_somebody(found: list[Finding]) -> None:
    assert "you" not in links(opened(HOME))
    found += [planted("a", page="Models"), planted("b", Severity.HINT, page="Models")]
    looked(again=True)
    assert "1 finding needs you" in links(opened(HOME))


def links(page: AppTest) -> str:
    return " ".join(one.label for one in page.sidebar.button)


def test_the_bundle_is_listed_before_it_is_downloaded() -> None:
    page = looked()
    page.button(key="support_make").click().run()
    assert not page.exception
    assert r"README\.txt" in texts(page) and "what the doctor found" in texts(page)
    assert page.get("download_button")


def test_a_guest_sees_none_of_it(found: list[Finding], monkeypatch: pytest.MonkeyPatch) -> None:
    found.append(planted("secret", Severity.URGENT, command="true"))
    looked()
    nobody_by_default(monkeypatch)
    for path in (SYSTEM, HOME):
        page = opened(path, GUEST)
        assert "secret" not in texts(page) and "needs you" not in links(page)
        assert "Support bundle" not in [one.label for one in page.expander]


def test_a_hanging_check_keeps_no_page_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    slow = Check("slow", lambda: release.wait(SECONDS), lambda _facts: [])
    monkeypatch.setattr(REGISTRY, "_checks", lambda: (slow,))
    assert "Looking at the machine" in texts(opened())
    assert REGISTRY.is_looking()
    release.set()
    REGISTRY.look()


def test_every_page_that_a_finding_opens_is_there() -> None:
    assert all((ROOT / path).is_file() for path in section.PAGES.values())
    assert {"", *section.PAGES} == set(get_args(Fix.model_fields["page"].annotation))
