"""The folder of the models on the settings page: what lies there, another one, and the move."""

import time

import streamlit as st

from lib.core import words
from lib.core.errors import BerthError
from lib.core.names import shown
from lib.core.preferences import LONGEST_PATH
from lib.fleet import model_folder
from lib.fleet.model_folder import Folder, Now
from lib.jobs.jobs import JobState
from lib.ui import markdown
from lib.ui.deploy import job_view
from lib.ui.shell import shown_errors

FOLDER, SAID = "settings_models_folder", "settings_models_folder_said"
LONGEST_SHOWN = 300
TOLD_SECONDS = 600.0  # so long it is said that a move is done


def section() -> None:
    """Where models lie, and where they are to lie."""
    st.header("Folders")
    now = model_folder.look()
    _here(now)
    _form(now)
    _said()
    if now.before:
        _before(now.before, now.folder)
    _move(now)


def _here(now: Now) -> None:
    place = _path(now.folder)
    if not now.is_readable:
        st.error("Nobody knows in which folder your models are: choose it again.")
    elif not now.folder.is_there:
        st.error(
            f"The folder with your models, {place}, is not there. Connect its disk, or choose "
            "another folder. Nothing was removed.",
            icon=":material/hard_drive:",
        )
    else:
        free = words.disk(now.folder.free_bytes or 0)
        st.caption(f"In {place}: {_held(now.folder)}; {free} are free on its disk.")


def _path(folder: Folder) -> str:
    return f"**{markdown.plain(shown(str(folder.path), LONGEST_SHOWN))}**"


def _held(folder: Folder) -> str:
    """`2 models, 4.9 GB`."""
    size = f", {words.disk(folder.bytes)}" if folder.bytes else ""
    return f"{words.count(folder.models, 'model')}{size}" if folder.models else "no models yet"


def _form(now: Now) -> None:
    with (
        st.form("settings_folder_form", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        st.text_input(
            "Folder for models",
            value="" if now.is_usual else str(now.folder.path),
            key=FOLDER,
            placeholder=str(model_folder.usual()),
            autocomplete="off",
            max_chars=LONGEST_PATH,
            help="On another disk, for instance: the whole path, as /disk/models. Empty is the "
            "folder inside Berth's own. It holds at once for what is downloaded next; a model "
            "that runs goes on as it is. Ollama keeps its models itself (OLLAMA_MODELS), and "
            "those on GPU slots lie with their services.",
        )
        st.form_submit_button("Save the folder", on_click=_save)


def _before(before: Folder, now: Folder) -> None:
    """What lies where it lay."""
    with st.container(border=True, key="settings_models_before"):
        if not before.is_there:
            st.markdown(
                f":orange[:material/warning:] {_path(before)}, where models lay before, is not "
                f"there ({_held(before)}). Connect its disk to use them."
            )
            st.button(
                "Look there no more",
                key="settings_models_forget",
                on_click=_forget,
                help="They vanish from Models. Nothing on that disk is touched: choose the folder "
                "again to have them back.",
            )
            return
        st.markdown(f"{_path(before)} still has {_left(before)}. All can be used where they are.")
        if model_folder.move_under_way() is None:
            st.button(
                f"Move {_left(before)}",
                key="settings_models_move",
                icon=":material/drive_file_move:",
                on_click=_start,
                disabled=not now.is_there,
                help=f"To {markdown.plain(str(now.path))}. Each file is copied, read again and "
                "compared before the old one is deleted. Models can be used meanwhile.",
            )


def _left(before: Folder) -> str:
    """`2 models (4.9 GB)`, or what else is there."""
    what = words.count(before.models, "model") if before.models else "files"
    return f"{what} ({words.disk(before.bytes)})"


def _move(now: Now) -> None:
    """The move that runs; one that failed, while something is left; one that is just done."""
    job = model_folder.last_move()
    if job is None or not now.folder.is_there:
        return
    if job.is_active or (now.before and job.state != JobState.SUCCEEDED):
        job_view.progress(job.id)
    elif job.ended and time.time() - job.ended < TOLD_SECONDS and job.state == JobState.SUCCEEDED:
        st.caption(f":green[:material/check:] {markdown.plain(job.last_line())}")


def _said() -> None:
    told = st.session_state.pop(SAID, None)
    if told:
        (st.success if told["is_well"] else st.error)(markdown.plain(told["text"]))


def _save() -> None:
    """What was refused stays in its field."""
    try:
        told = {"text": model_folder.choose(str(st.session_state[FOLDER])), "is_well": True}
    except BerthError as error:
        told = {"text": f"{error.message} {error.fix}".strip(), "is_well": False}
    st.session_state[SAID] = told


def _start() -> None:
    with shown_errors():
        model_folder.move()


def _forget() -> None:
    with shown_errors():
        model_folder.forget_before()
