"""The programs of this machine: which of them ask Berth, what would change, and the buttons."""

from pathlib import Path

import streamlit as st

from lib.connect import changes, finding
from lib.connect.changes import Look, State
from lib.connect.clients import CLIENTS, Client
from lib.connect.way import Way
from lib.core.names import shown
from lib.ui import markdown
from lib.ui.connect import choice, copies
from lib.ui.shell import shown_errors

SAID = "connect_said"  # what came of the last press, by the program it was about
LONGEST_PATH = 120


def section() -> None:
    """For the owner alone."""
    st.header("Programs on this machine")
    able = choice.models()
    if not able:
        st.caption("Programs can use the models here once there is one.")
        icon = ":material/rocket_launch:"
        if st.button("Choose a first model", icon=icon, key="connect_first"):
            st.switch_page("Home.py")
        return
    st.caption(
        "Coding agents and other programs can ask the models here. Berth adds what they need to "
        "their settings, keeps a copy of the file beside it, and takes it back when you say so."
    )
    way = choice.chosen(able)
    found = finding.found()
    if not found:
        st.info("None of the programs that Berth knows was found here.", icon=":material/search:")
    for client in found:
        _program(changes.look(client, way), way)
    _others(found)
    copies.section(able, way)


def _program(seen: Look, way: Way) -> None:
    name = seen.client.name
    with st.container(border=True, key=f"connect-{name}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{seen.client.title}**", width="stretch")
            _badge(seen.state)
            _buttons(seen, way)
        st.caption(f"{seen.client.what} · {_files(seen)}")
        _told(seen)
        if seen.diff:
            with st.expander(f"What changes in {seen.path.name}", key=f"connect_diff_{name}"):
                st.code(seen.diff, language="diff", wrap_lines=True)


def _badge(state: State) -> None:
    if state in (State.USES, State.OTHERWISE):
        st.badge(State.USES, color="green")
    else:
        st.badge(state, color="red" if state == State.REFUSED else "gray")


def _buttons(seen: Look, way: Way) -> None:
    name, title = seen.client.name, seen.client.title
    if seen.state in (State.NOT_YET, State.OTHERWISE):
        label = "Use Berth" if seen.state == State.NOT_YET else "Change"
        st.button(
            label,
            key=f"connect_make_{name}",
            icon=":material/link:",
            on_click=_make,
            args=(name, way.model_dump(mode="python"), seen.seen),
            disabled=_lacks_key(way),
            help=f"{title} then asks {markdown.plain(way.model)}.",
        )
    if seen.record:
        st.button(
            "Take back",
            key=f"connect_undo_{name}",
            icon=":material/undo:",
            on_click=_take_back,
            args=(name,),
            help=f"{title}'s settings become what they were before.",
        )


def _lacks_key(way: Way) -> bool:
    """Is one asked for that nobody has typed yet?"""
    return choice.KEY in st.session_state and not way.key.get_secret_value()


def _told(seen: Look) -> None:
    """What came of the last press; how to try it; what is in the way."""
    if seen.record and seen.state == State.OTHERWISE:
        st.caption(f"It asks {markdown.plain(seen.record.model)} at `{seen.record.root}` now.")
    elif said := st.session_state.get(SAID, {}).get(seen.client.name):
        st.caption(said)
    elif seen.state == State.USES:
        st.caption(f"Try it in a terminal: `{seen.client.call}`")
    if seen.said:
        st.caption(f":red[{markdown.plain(seen.said)}] {markdown.plain(seen.fix)}")


def _others(found: list[Client]) -> None:
    """What was not found, and the one whose settings are in a database."""
    missing = [one for one in CLIENTS.values() if one not in found]
    lines = [
        f"- **{one.title}** ({_small(one.what)}) is listed here once it is installed."
        for one in missing
    ]
    here = "It is on this machine. " if finding.has_webui() else ""
    lines.append(
        f"- **Open WebUI** (a chat for the browser): {here}It keeps its settings in a database. "
        "Add a connection in its Admin Panel under Settings, Connections, OpenAI API; the address "
        "stands under “Copies for other machines”."
    )
    lines.append("- Any other program that takes an address in OpenAI's or Anthropic's dialect.")
    with st.expander("What else can be connected", key="connect_others"):
        st.caption("\n".join(lines))


def _small(text: str) -> str:
    """Inside a sentence: names keep their capitals."""
    return text.replace("An ", "an ", 1).replace("A ", "a ", 1)


def _make(name: str, way: dict[str, object], seen: str) -> None:
    with shown_errors():
        changes.make(name, Way.model_validate(way), seen)
        call = CLIENTS[name].call
        _say(name, f":green[:material/check:] It asks Berth from its next start on. Try `{call}`.")


def _take_back(name: str) -> None:
    with shown_errors():
        is_same = changes.take_back(name)
        told = "Its settings are what they were, to the letter."
        if not is_same:
            told = "The file had been changed since: only what Berth wrote was taken out."
        _say(name, f":green[:material/check:] {told}")


def _say(name: str, text: str) -> None:
    st.session_state[SAID] = {name: text}


def _files(seen: Look) -> str:
    """`~/.codex/config.toml (before: config.toml.before-berth)`."""
    place = markdown.plain(_place(seen.path))
    copy = Path(seen.record.backup).name if seen.record else ""
    return f"{place} (before: {markdown.plain(copy)})" if copy else place


def _place(path: Path) -> str:
    """With `~` for the home folder."""
    home = Path.home()
    text = f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
    return shown(text, LONGEST_PATH)
