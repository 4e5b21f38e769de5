"""The end of the models page: what lies on this machine already, and what the Hub has anew."""

import hashlib
import time
from collections.abc import Sequence

import streamlit as st

from lib.core import words
from lib.core.access import Action, may
from lib.core.errors import BerthError
from lib.core.names import shown
from lib.core.preferences import LONGEST_PATH, preferences
from lib.doctor.engine_notes import engine_note
from lib.engines import all_engines, all_models
from lib.engines.llamacpp import stores
from lib.engines.room import room_now
from lib.fit.memory import Room
from lib.fleet import adoption, newer
from lib.fleet.adoption import Row
from lib.fleet.elsewhere import Look
from lib.hub.revisions import Newer
from lib.ui import markdown
from lib.ui.session import adoption_chosen, choose_for_adoption, choose_to_deploy
from lib.ui.shell import shown_errors
from lib.ui.verdict import mark

FOLD, SEARCH, FOLDER, UPDATES = "adoption", "adoption_search", "adoption_folder", "updates_toggle"
SAID = "adoption_said"  # what came of adding a folder
PER_PAGE, FEW, MOST_NEWER, FEW_ELSEWHERE = 20, 8, 3, 5
LOOKING_SECONDS, RESTING_SECONDS = 2.0, 60.0  # between two runs of the section
USE_SECONDS = 2.0  # that a press waits for the link; it is made all the same
ICON = ":material/folder_open:"


def section() -> None:
    """For the owner alone: engines that should be replaced, newer revisions, models found here."""
    if not may(Action.CONFIGURE):
        return
    _engine_notes()
    _newer_rows()
    adoption.ADOPTION.seen()
    is_busy = _is_busy()
    st.fragment(_found, run_every=LOOKING_SECONDS if is_busy else RESTING_SECONDS)(is_busy)


def usable() -> list[Row]:
    """What was found in other tools' folders and could be used at once; it waits for no look."""
    adoption.ADOPTION.seen()
    return [row for row in adoption.ADOPTION.rows() if row.can_be_used]


def few(rows: Sequence[Row]) -> None:
    """The first of them as rows, and the way to all."""
    look, room, by_ollama = adoption.ADOPTION.known(), room_now(), _by_ollama(rows)
    for row in rows[:FEW_ELSEWHERE]:
        _row(row, look, room, by_ollama, can_choose=False)
    more = len(rows) - FEW_ELSEWHERE
    label = f"{more:,} more on Models" if more > 0 else "All on Models, and other folders"
    if st.button(label, icon=ICON, type="tertiary", key="found_all"):
        st.switch_page("pages/2_Models.py")


def _newer_rows() -> None:
    """A few at once; many are folded."""
    found = newer.by_name()
    if len(found) <= MOST_NEWER:
        for name, one in found.items():
            newer_row(name, one)
        return
    with st.expander(f"Newer revisions on the Hub ({len(found)})", key="newer_fold"):
        for name, one in found.items():
            newer_row(name, one)


def newer_row(name: str, found: Newer) -> None:
    """That the Hub has a newer revision of this model, with the way to it."""
    with (
        st.container(border=True, key=f"newer-{name}"),
        st.container(horizontal=True, vertical_alignment="center"),
    ):
        with st.container(gap=None, width="stretch"):
            st.markdown(f"**{markdown.plain(name)}**: the Hub has a newer revision of this.")
            st.caption(_changed(found))
        if st.button("Deploy it", key=f"deploy_newer-{name}"):
            choose_to_deploy(found.repository)
            st.switch_page("pages/1_Deploy.py")


def updates_toggle() -> None:
    """Whether the Hub is asked for newer revisions."""
    st.toggle(
        "Ask the Hub once a day for newer revisions",
        value=preferences().checks_for_updates,
        key=UPDATES,
        on_change=_set_checking,
        help="It is asked about the repositories that models here came from. The Models page then "
        "says which of them have been replaced.",
    )


def _set_checking() -> None:
    with shown_errors():
        newer.set_checking(bool(st.session_state[UPDATES]))


def _changed(found: Newer) -> str:
    """`acme/Anvil-GGUF changed 2 days ago`."""
    when = f" changed {words.ago(found.changed_at)}" if found.changed_at else " has changed"
    return f"{markdown.plain(found.repository)}{when}"


def _engine_notes() -> None:
    """A line for each engine that models run with and that should be replaced."""
    notes = {name: note for name in all_engines() if (note := engine_note(name))}
    used = {model.engine for model in all_models()} if notes else set()
    for name in notes.keys() & used:
        st.caption(f":orange[:material/warning:] {markdown.plain(notes[name])}")


def _is_busy() -> bool:
    return adoption.ADOPTION.is_looking() or adoption.ADOPTION.is_using()


def _found(was_busy: bool) -> None:
    """The section, kept up to date while a look is under way."""
    look, rows = adoption.ADOPTION.known(), adoption.ADOPTION.rows()
    is_open = bool(st.session_state.get(FOLD))  # said anew: where it has moved, it would be shut
    title = _title(look, rows)
    fold = st.expander(title, expanded=is_open, key=FOLD, icon=ICON, on_change="rerun")
    if fold.open:
        with fold:
            _list(look, rows)
            _foot(look)
            _folders()
    if _is_busy() and not was_busy:
        st.rerun()  # somebody began it here; the section's rhythm is set by the page


def _title(look: Look, rows: Sequence[Row]) -> str:
    if not look.at:
        return "Found on this machine: looking …"
    fresh = sum(row.can_be_used for row in rows)
    return f"Found on this machine: {words.count(fresh, 'model') if fresh else 'nothing new'}"


def _list(look: Look, rows: Sequence[Row]) -> None:
    if not rows:
        st.caption(
            "Models of LM Studio, Ollama and the Hugging Face cache are listed here, and those of "
            "your own folders. There are none yet."
            if look.at
            else "Looking through the folders of other tools. This takes a few seconds."
        )
        return
    st.caption(
        "These lie in other tools' folders. Berth can run them from there: it makes a link, copies "
        "nothing, and never changes or deletes them."
    )
    wanted = _tools(rows)
    found = [row for row in rows if wanted in row.found.name.casefold()]
    pages = -(-len(found) // PER_PAGE)
    at = st.pagination(pages, key="adoption_page") - 1 if pages > 1 else 0
    room, by_ollama = room_now(), _by_ollama(rows)
    for row in found[at * PER_PAGE : (at + 1) * PER_PAGE]:
        _row(row, look, room, by_ollama)
    if not found:
        st.caption("None of them has this in its name.")


def _tools(rows: Sequence[Row]) -> str:
    """The search, where there are many, and the button for several; returns what is searched."""
    usable = {row.found.path for row in rows if row.can_be_used}
    chosen = [path for path in adoption_chosen() if path in usable]
    wanted = ""
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(rows) > FEW:
            wanted = st.text_input(
                "Search what was found",
                placeholder="Search by name",
                label_visibility="collapsed",
                key=SEARCH,
            )
        if len(usable) > 1:
            label = f"Use the chosen ({len(chosen)})" if chosen else "Use the chosen"
            if st.button(label, key="adoption_use", disabled=not chosen):
                _use(chosen)
    return wanted.strip().casefold()


def _use(paths: Sequence[str]) -> None:
    """Link them, and show the models that they are now."""
    with shown_errors():
        adoption.ADOPTION.use(paths).wait(USE_SECONDS)
        choose_for_adoption([path for path in adoption_chosen() if path not in paths])
        st.rerun()


def _row(
    row: Row, look: Look, room: Room, by_ollama: dict[str, str], can_choose: bool = True
) -> None:
    """One model: what it is, whether it fits, and the button."""
    found = row.found
    key = hashlib.sha256(found.path.encode()).hexdigest()[:12]
    with (
        st.container(border=True, key=f"found_here-{key}"),
        st.container(horizontal=True, vertical_alignment="center"),
    ):
        if row.can_be_used and can_choose:
            _choice(row, key)
        with st.container(gap=None, width="stretch"):
            st.markdown(f"**{markdown.plain(shown(found.name, 200))}**")
            st.caption(_facts(row), help=_place(row))
            _state(row, look, room, by_ollama)
        if row.can_be_used:
            _button(row, key)


def _choice(row: Row, key: str) -> None:
    st.checkbox(
        f"Choose {markdown.label(row.found.name)}",
        value=row.found.path in adoption_chosen(),
        key=f"choose_found-{key}",
        label_visibility="collapsed",
        on_change=_choose,
        args=(row.found.path, f"choose_found-{key}"),
    )


def _choose(path: str, key: str) -> None:
    others = [one for one in adoption_chosen() if one != path]
    choose_for_adoption([*others, path] if st.session_state.get(key) else others)


def _button(row: Row, key: str) -> None:
    is_under_way = adoption.ADOPTION.is_using(row.found.path)
    label = "Linking …" if is_under_way else "Use it"
    if st.button(label, key=f"use_found-{key}", disabled=is_under_way):
        _use([row.found.path])


def _facts(row: Row) -> str:
    """`LM Studio · 4.9 GB · Q4_K_M · context 8,192`."""
    found = row.found
    parts = [
        found.tool,
        words.disk(found.size_bytes),
        found.quantization,
        f"context {found.context_trained:,}" if found.context_trained else "",
        "sees images" if found.seen_by else "",
    ]
    return markdown.plain(" · ".join(part for part in parts if part))


def _place(row: Row) -> str:
    return f"It lies at {markdown.plain(shown(row.found.path, 400))}"


def _state(row: Row, look: Look, room: Room, by_ollama: dict[str, str]) -> None:
    """Whether it is here already, why it cannot be used, or whether it fits now."""
    if row.is_here_as:
        st.caption(f"Is already in Berth as {markdown.plain(row.is_here_as)}.")
        return
    if row.same_as:
        other = markdown.plain(shown(row.same_as.name, 200))
        st.caption(f"The same file as {other} ({row.same_as.tool}).")
    if unable := adoption.objection(row.found):
        st.caption(f":red[:material/block:] {markdown.plain(unable)}")
    elif verdict := adoption.verdict(row.found, look, room):
        st.markdown(f":small[{mark(verdict)} {verdict.sentence}]")
    else:
        st.caption("It was not looked into yet: look again.")
    if ollamas := by_ollama.get(row.found.name) if row.found.tool == stores.OLLAMA else "":
        st.caption(f"Ollama runs it too, as {markdown.plain(ollamas)}.")
    if error := adoption.ADOPTION.failure(row.found.path):
        st.error(markdown.plain(f"{error.message} {error.fix}".strip()), icon=":material/error:")


def _by_ollama(rows: Sequence[Row]) -> dict[str, str]:
    """What Ollama calls its models, by what Berth would call them."""
    if not any(row.found.tool == stores.OLLAMA for row in rows):
        return {}
    return {stores.name_of_ollamas(model.name): model.name for model in all_models("ollama")}


def _foot(look: Look) -> None:
    """When it was, what could not be seen, and the button to look again."""
    for said in look.said:
        st.caption(f":orange[:material/warning:] {markdown.plain(said)}")
    for beside in look.beside:
        st.caption(markdown.plain(beside))
    with st.container(horizontal=True, vertical_alignment="center"):
        if look.at:
            st.caption(f"Looked {words.ago(look.at, time.time())}.", width="content")
        if adoption.ADOPTION.is_looking():
            st.caption("Looking again …" if look.at else "Looking …", width="content")
        elif st.button("Look again", key="adoption_again", type="tertiary"):
            adoption.ADOPTION.look_again()


def _folders() -> None:
    """The owner's own folders, and a field for one more."""
    for folder in preferences().model_folders:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"Your folder: {markdown.plain(shown(folder, 200))}", width="stretch")
            st.button(
                "Look there no more",
                key=f"adoption_forget-{folder}",
                type="tertiary",
                on_click=_forget,
                args=(folder,),
            )
    with (
        st.form("adoption_form", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        st.text_input(
            "Look in another folder too",
            key=FOLDER,
            placeholder="/disk/models",
            autocomplete="off",
            max_chars=LONGEST_PATH,
        )
        st.form_submit_button("Add the folder", on_click=_add)
    if said := st.session_state.get(SAID):
        st.error(markdown.plain(str(said)), icon=":material/error:")


def _add() -> None:
    try:
        adoption.add_folder(str(st.session_state[FOLDER]))
        st.session_state[FOLDER] = ""
        st.session_state[SAID] = ""
    except BerthError as error:
        st.session_state[SAID] = f"{error.message} {error.fix}".strip()


def _forget(folder: str) -> None:
    with shown_errors():
        adoption.remove_folder(folder)
