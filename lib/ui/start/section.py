"""What starts Berth: something to click, and the login; then how it is quit."""

from collections.abc import Callable

import streamlit as st

from lib import dashboard
from lib.core.access import Action, may
from lib.core.errors import BerthError
from lib.login import at_login, icon
from lib.login.piece import Standing
from lib.ui import markdown
from lib.ui.start import quitting

AT_LOGIN, ICON = "settings_at_login", "settings_icon"
LATER = ":material/restart_alt:"  # marks what does not hold at once
SAID = "settings_start_said"  # what came of the last change, by the switch it belongs to


def link() -> None:
    """The owner's way here, from where the machine is."""
    if may(Action.CONFIGURE):
        sign = ":material/power_settings_new:"
        if st.button("Start and quit Berth", type="tertiary", icon=sign, key="start_link"):
            st.switch_page("pages/5_Settings.py")


def section() -> None:
    """For the owner."""
    st.header("Start and quit")
    if (found := dashboard.running()) and dashboard.is_outdated(found):
        st.info("Berth runs as it was before its folder was changed. Quit it, then start it again.")
    try:
        login, clicked = at_login.look(), icon.look()
    except BerthError as error:
        st.error(markdown.plain(str(error)))
    else:
        _at_login(login)
        _icon(clicked)
        with st.expander("What is written"):
            _written(login)
            _written(clicked)
    quitting.buttons()


def _at_login(now: Standing) -> None:
    st.toggle(
        "Start Berth when I log in",
        value=now.is_on,
        key=AT_LOGIN,
        on_change=_save,
        args=(AT_LOGIN, at_login.turn_on, at_login.turn_off, at_login.look),
        help="With it start the models that have “Start with the machine” on the Models page.",
    )
    st.caption(f"{LATER} It holds from your next login on.")
    _told(AT_LOGIN, now, at_login.turn_on)
    if now.found and now.is_switched_off:
        st.caption(f"{_named(now)}: it is there, but it was switched off outside Berth.")
    elif now.is_on and not now.is_stale and (hint := at_login.before_login()):
        st.caption(markdown.plain(hint))


def _icon(now: Standing) -> None:
    st.toggle(
        "Put an icon there",
        value=now.is_on,
        key=ICON,
        on_change=_save,
        args=(ICON, icon.put_there, icon.take_away, icon.look),
        help="A click opens Berth in the browser, and starts it first where it does not run.",
    )
    st.caption(f"{icon.place()}." if now.is_on else "So that no terminal is needed to start it.")
    _told(ICON, now, icon.put_there)


def _told(which: str, now: Standing, again: Callable[[], str]) -> None:
    """What came of the last change, and what is wrong with what is there."""
    told = st.session_state.get(SAID, {})
    if told.get("which") == which:
        draw = st.success if told["is_well"] else st.error
        draw(markdown.plain(told["text"]))
    if now.is_on and now.is_stale:
        st.warning("It starts another folder than this one, or as an older Berth wrote it.")
        st.button("Write it for this one", key=f"{which}_again", on_click=_try, args=(which, again))


def _written(now: Standing) -> None:
    where = markdown.plain(str(now.path))
    st.caption(f"{_named(now)}, which is removed when you switch it off: {where}")
    st.code(now.text, language=None)


def _named(now: Standing) -> str:
    return f"{now.what[0].upper()}{now.what[1:]}"


def _save(
    which: str, on: Callable[[], str], off: Callable[[], str], look: Callable[[], Standing]
) -> None:
    _try(which, on if st.session_state[which] else off)
    st.session_state[which] = look().is_on  # what is so, where it was refused


def _try(which: str, act: Callable[[], str]) -> None:
    """Do it, and keep what is to be said below this switch."""
    try:
        told = {"text": act(), "is_well": True}
    except BerthError as error:
        told = {"text": f"{error.message} {error.fix}".strip(), "is_well": False}
    st.session_state[SAID] = {"which": which, **told}
