"""A key that was just made: its secret, the one time that it is shown, and the first call with it.

The session keeps it until the owner puts it away, or so long that nobody has forgotten it there.
"""

import time
from html import escape

import streamlit as st

from lib.fleet import endpoints
from lib.fleet.endpoints import Way
from lib.keys import store
from lib.keys.key import Key
from lib.sharing import listener
from lib.ui import listing, markdown
from lib.ui.models import base_url

MADE = "keys_made"
SHOWN_SECONDS = 15 * 60.0
WHERE, LANGUAGE = "keys_first_where", "keys_first_language"
HERE, ELSEWHERE = "On this machine", "On other machines"
NAME_OF_A_MODEL = "MODEL"
CODE = {"curl": "bash", "Python": "python", "Environment": "bash"}
HINTS = {
    "curl": "For bash or zsh.",
    "Python": "Needs the openai package: pip install openai",
    "Environment": "For programs that take OpenAI's address from their environment.",
}


def keep(key: Key, secret: str) -> None:
    """Show it from now on."""
    st.session_state[MADE] = {"id": key.id, "secret": secret, "at": time.time()}


def section() -> None:
    """Nothing where none was just made."""
    told = st.session_state.get(MADE)
    if not told:
        return
    key = store.known(told["id"])
    if key is None or time.time() - told["at"] > SHOWN_SECONDS:
        _put_away()
        return
    with st.container(border=True, key="row-key-made"):
        with st.container(horizontal=True, vertical_alignment="top", gap="medium"):
            with st.container(width="stretch", gap="small"):
                name = markdown.plain(key.name)
                st.markdown(f"**The key {name} is made.** Copy it now: it is not shown again.")
                st.code(told["secret"], language=None, wrap_lines=True)
                _first_call(key, told["secret"])
            with st.container(width=170, gap="small"):
                st.html(_qr_code(told["secret"]), width=160)
                st.caption("Scan to take it to a phone")
        st.button("I have kept it", icon=":material/check:", key="keys_kept", on_click=_put_away)


def _first_call(key: Key, secret: str) -> None:
    """What to paste, by where and in what."""
    places = _places()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        where = st.segmented_control(
            "Where the program runs",
            [*places],
            default=[*places][-1],
            required=True,
            key=WHERE,
        )
        language = st.segmented_control(
            "First call", [*CODE], default="curl", required=True, key=LANGUAGE
        )
    text, is_whole = _text(key, Way(places[where], "", key=secret), language)
    st.code(text, language=CODE[language], wrap_lines=True)
    st.caption(HINTS[language])
    if not is_whole:
        st.caption(f"Put the name of a model in the place of {NAME_OF_A_MODEL}: none is here yet.")
    if ELSEWHERE not in places:
        st.caption("Other machines can use the key while Berth is shared (System, Sharing).")


def _places() -> dict[str, str]:
    """Base URLs, by where they are for."""
    share = listener.current()
    shared = {ELSEWHERE: f"{share.url}/v1"} if share else {}
    return {HERE: f"{base_url()}/v1", **shared}


def _text(key: Key, way: Way, language: str) -> tuple[str, bool]:
    """What to paste, and whether it works as it is."""
    model = endpoints.first_model(key.models, listing.models())
    name = model.name if model else (key.models or (NAME_OF_A_MODEL,))[0]
    call = endpoints.call_of(model) if model else endpoints.CHAT
    way = way._replace(model=name)
    if language == "Environment":
        return endpoints.environment(way), name != NAME_OF_A_MODEL
    made = endpoints.curl(call, way) if language == "curl" else endpoints.python(call, way)
    return made, name != NAME_OF_A_MODEL


def _qr_code(secret: str) -> str:
    """As a picture with a name, dark on light in both themes, as scanners expect."""
    import segno  # 50 ms, for this section alone

    drawn = segno.make_qr(secret, error="m").svg_data_uri(border=3, light="white", scale=4)
    return f'<img alt="QR code of the API key" width="160" src="{escape(drawn)}">'


def _put_away() -> None:
    for name in (MADE, WHERE, LANGUAGE):
        st.session_state.pop(name, None)
