"""What needs somebody on this machine, the worst first, each with what mends it inside its row."""

from typing import Literal

import streamlit as st

from lib.core import words
from lib.core.access import Action, may
from lib.doctor import ignored, mends, report
from lib.doctor.finding import Finding, Severity
from lib.doctor.registry import REGISTRY, Look
from lib.ui import markdown
from lib.ui.doctor import support
from lib.ui.elements.copied_line import copied_line
from lib.ui.session import ask_finding, asked_finding
from lib.ui.shell import shown_errors

COLOURS: dict[Severity, Literal["red", "orange", "gray"]] = {
    Severity.URGENT: "red",
    Severity.WARNING: "orange",
    Severity.HINT: "gray",
}
PAGES = {
    "Home": "Home.py",
    "Deploy": "pages/1_Deploy.py",
    "Models": "pages/2_Models.py",
    "System": "pages/4_System.py",
    "Settings": "pages/5_Settings.py",
}
MOST_ON_HOME = 3
REFRESH_SECONDS = 2.0  # no run of the whole page when a look ends: it could lose a click
HOME_SECONDS = 30.0


def section() -> None:
    """For the owner alone: findings, those that are ignored, and the support bundle."""
    if not may(Action.CONFIGURE):
        return
    st.header("Doctor", anchor="doctor")
    support.bundle()  # above what grows when a look ends: a click on it would meet another place
    _live()


def needs() -> None:
    """For Home: what needs a person, with its button; nothing where all is well."""
    if may(Action.CONFIGURE):
        _needed()


@st.fragment(run_every=HOME_SECONDS)
def _needed() -> None:
    found = [finding for finding in REGISTRY.seen().shown() if finding.needs_a_person]
    if found:
        st.header("Needs you", anchor="needs")
    for finding in found[:MOST_ON_HOME]:
        _row(finding)
    if len(found) > MOST_ON_HOME:
        more = words.count(len(found) - MOST_ON_HOME, "more finding")
        st.page_link(PAGES["System"], label=f"{more} on System", icon=":material/arrow_forward:")


@st.fragment(run_every=REFRESH_SECONDS)
def _live() -> None:
    look = REGISTRY.seen()
    if not look.at:
        st.caption("Looking at the machine. This takes a few seconds.")
    else:
        _findings(look)


def _findings(look: Look) -> None:
    found = look.shown()
    for finding in found:
        _row(finding)
    _foot(look, bool(found))
    if kept := look.ignored():
        with st.expander(f"Ignored ({len(kept)})", key="doctor_ignored"):
            for finding in kept:
                _ignored_row(finding)


def _foot(look: Look, has_found: bool) -> None:
    """When it was, what could not be looked at, and the button to look again."""
    parts = [*([] if has_found else [report.ALL_WELL]), *report.left_out(look)]
    with st.container(horizontal=True, vertical_alignment="center"):
        said = " ".join([*parts, report.summary(look)])
        st.caption(markdown.plain(said), width="content")
        if REGISTRY.is_looking():
            st.caption("Looking again…", width="content")
        else:
            st.button("Look again", key="doctor_again", type="tertiary", on_click=REGISTRY.forget)


def _row(finding: Finding) -> None:
    with st.container(border=True, gap="xsmall", key=f"finding-{finding.fingerprint}"):
        word = f":{COLOURS[finding.severity]}-badge[{finding.severity}]"
        st.markdown(f"{word} **{markdown.plain(finding.title)}**")
        st.caption(markdown.plain(f"{finding.why} Should be: {_begun(finding.wanted)}"))
        if asked_finding() == finding.id:
            _question(finding)
        elif finding.fix.command:
            _command(finding)
        else:
            _buttons(finding)


def _begun(wanted: str) -> str:
    """As the rest of a sentence."""
    return wanted if wanted[1:2].isupper() else f"{wanted[:1].lower()}{wanted[1:]}"


def _buttons(finding: Finding) -> None:
    fix = finding.fix
    with st.container(horizontal=True, vertical_alignment="center"):
        if fix.action:
            _action(finding)
        elif fix.page:
            _way(finding)
        _ignore_button(finding)


def _way(finding: Finding) -> None:
    key = f"open-{finding.fingerprint}"
    if st.button(markdown.label(finding.fix.label), key=key, icon=":material/arrow_forward:"):
        st.switch_page(PAGES[finding.fix.page])


def _command(finding: Finding) -> None:
    """The line brings the button that copies it."""
    st.caption(markdown.plain(f"{finding.fix.label}:"))
    with st.container(horizontal=True, vertical_alignment="center"):
        copied_line(finding.fix.command, key=f"command-{finding.fingerprint}")
        _ignore_button(finding)


def _ignore_button(finding: Finding) -> None:
    st.button(
        "Ignore",
        key=f"ignore-{finding.fingerprint}",
        type="tertiary",
        help="It is shown again when it changes.",
        on_click=_ignore,
        args=(finding,),
    )


def _action(finding: Finding) -> None:
    fix = finding.fix
    press, arguments = (ask_finding, (finding.id,)) if fix.asks else (_mend, (finding,))
    st.button(
        markdown.label(fix.label),
        key=f"mend-{finding.fingerprint}",
        on_click=press,
        args=arguments,
    )


def _question(finding: Finding) -> None:
    """Danger asks once, naming what goes."""
    st.markdown(markdown.plain(finding.fix.asks))
    with st.container(horizontal=True):
        st.button(
            f":red[{markdown.label(finding.fix.label)}]",
            key=f"mend-{finding.fingerprint}",
            on_click=_mend,
            args=(finding,),
        )
        st.button("Keep", key="doctor_keep", on_click=ask_finding, args=("",))


def _ignored_row(finding: Finding) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(markdown.plain(finding.title), width="stretch")
        st.button(
            "Show again",
            key=f"show-{finding.fingerprint}",
            type="tertiary",
            on_click=_show,
            args=(finding.id,),
        )


def _mend(finding: Finding) -> None:
    """Do it, say what happened, and look again."""
    ask_finding("")
    with shown_errors():
        st.toast(markdown.plain(mends.mend(finding)))
    REGISTRY.forget()


def _ignore(finding: Finding) -> None:
    with shown_errors():
        ignored.ignore(finding)


def _show(finding_id: str) -> None:
    with shown_errors():
        ignored.show(finding_id)
