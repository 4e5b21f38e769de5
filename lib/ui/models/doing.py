"""What the buttons do, with one model or with several; an error becomes a box on the page."""

from collections.abc import Callable, Sequence

import streamlit as st

from lib.core.access import Action, may, role
from lib.engines import all_models, llamacpp
from lib.engines.base import Model, State
from lib.fleet import actions, removing, rules
from lib.fleet.figures import Figures
from lib.sharing import limits
from lib.ui import markdown
from lib.ui.session import choose_model
from lib.ui.shell import shown_errors


def start(*models: Model) -> None:
    """Begin to load them."""
    for model in models:
        with shown_errors():
            actions.start_soon(model)


def restart(model: Model) -> None:
    """Begin to load it anew."""
    with shown_errors():
        actions.restart_soon(model)


def stop(*models: Model) -> None:
    """Unload them, each as it is now: one that has ended meanwhile was not stopped by anybody."""
    now = {model.key: model for model in all_models()}
    for model in models:
        with shown_errors():
            actions.stop(now.get(model.key, model))


def undo(*models: Model) -> None:
    """They stay after all."""
    for model in models:
        with shown_errors():
            if not removing.undo(model):
                st.warning(f"It is too late to keep {markdown.plain(model.called)}.")


def pin(is_wanted: bool, *models: Model) -> None:
    """Keep them in memory, or no longer."""
    for model in models:
        with shown_errors():
            rules.update(model, is_pinned=is_wanted)


def is_pinned(model: Model) -> bool:
    """Is it kept in memory?"""
    return rules.of(model).is_pinned


def can_start(one: Figures) -> bool:
    """Is there anything to start, by whoever looks?"""
    is_still = one.state in (State.STOPPED, State.FAILED)
    return is_still and not one.removal and _is_ours(one.model)


def can_stop(one: Figures) -> bool:
    """The same for stopping, which one that is still loading can be, too."""
    return one.model.state in (State.READY, State.STARTING) and _is_ours(one.model)


def can_restart(one: Figures) -> bool:
    """The same for both."""
    return one.state == State.READY and _is_ours(one.model)


def can_pin(one: Figures) -> bool:
    """Only what Berth itself stops can be kept from that."""
    return one.model.engine == llamacpp.NAME and may(Action.CONFIGURE) and not one.removal


def can_remove(one: Figures) -> bool:
    """At once, and not by a job of its own."""
    is_other = one.model.is_elsewhere or one.model.remove_with
    return not is_other and not one.removal and may(Action.REMOVE)


def can_undo(one: Figures) -> bool:
    """Is it about to be removed?"""
    return bool(one.removal) and may(Action.REMOVE)


def can_chat(one: Figures) -> bool:
    """Does it answer whoever looks?"""
    is_ready = one.state == State.READY and one.model.writes
    return is_ready and limits.may_use(role(), one.model)


def open_chat(model: Model) -> None:
    """Leave for the chat with it."""
    choose_model(model.key)
    st.switch_page("pages/3_Chat.py")


def those(every: Sequence[Figures], can: Callable[[Figures], bool]) -> list[Model]:
    """The models of these with which something can be done."""
    return [one.model for one in every if can(one)]


def _is_ours(model: Model) -> bool:
    return not model.is_elsewhere and may(Action.RUN)
