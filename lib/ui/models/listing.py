"""The models page: search, sort, filter; rows or a table; several models at a time."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import streamlit as st

from lib.core import words
from lib.core.access import Action, may, role
from lib.engines import all_models, engine_of
from lib.engines.base import State
from lib.fleet import figures
from lib.fleet.figures import Figures, Order
from lib.sharing.limits import may_use
from lib.ui.models import gone, places, rows, table
from lib.ui.models.states import BUSY
from lib.ui.session import is_reversed, turn_round

ROWS, TABLE = "List", "Table"
PER_PAGE = {ROWS: 20, TABLE: 100}
MOST_IN_ROWS = 12  # beyond, a table tells more
REFRESH_SECONDS = {True: 1.0, False: 5.0}  # while something changes, and while nothing does
LOOK_SHARE = 0.05  # so much of its time the page may look at the models


class Look(NamedTuple):
    """All models at one moment."""

    every: Sequence[Figures]
    seconds: float  # that looking took

    @property
    def is_lively(self) -> bool:
        """Does something change just now?"""
        return any(one.state in BUSY or one.removal for one in self.every)

    @property
    def rhythm(self) -> float:
        """Seconds until the next look: thousands of models are looked at less often."""
        return max(REFRESH_SECONDS[self.is_lively], round(self.seconds / LOOK_SHARE))


class Wish(NamedTuple):
    """What is to be shown, and how."""

    wanted: str
    order: Order
    engines: list[str]
    states: list[State]
    view: str

    @property
    def filters(self) -> int:
        """How many kinds of models are asked for."""
        return len(self.engines) + len(self.states)


def browse(otherwise: Callable[[], None]) -> None:
    """Every model of every engine, kept up to date; `otherwise` draws what stands for none."""
    look = _look()
    if look.every:
        st.fragment(_listing, run_every=look.rhythm)([look])
    else:
        otherwise()


def _look() -> Look:
    began = time.monotonic()
    every = [_for_whoever_looks(one) for one in figures.of_all(all_models())]
    return Look(every, time.monotonic() - began)


def _for_whoever_looks(one: Figures) -> Figures:
    """How a model is used is told to those who may use it, in words and in the order."""
    return one if may_use(role(), one.model) else one._replace(speed=None, used_at=None)


def _listing(given: list[Look]) -> None:
    """The page's own run has looked already; the fragment's later ones look anew."""
    was_given = bool(given)
    look = given.pop() if was_given else _look()
    if not look.every:
        st.rerun()
    wish = _toolbar(look.every)
    found = figures.arranged(
        look.every, wish.wanted, wish.engines, wish.states, wish.order, is_reversed()
    )
    if wish.order == Order.USUAL:
        found = places.kept(found, is_reversed(), look.rhythm)
    gone.tell(look.every)
    if not found:
        st.caption(_nothing(wish))
    elif wish.view == TABLE:
        table.draw(look.every, _page(found, TABLE), wish.order)
    else:
        for one in _page(found, ROWS):
            rows.draw(one, with_details=may(Action.CONFIGURE))
    if not was_given and look.is_lively != st.session_state.get("models_lively"):
        st.rerun()  # the fragment's own rhythm is set by the page
    st.session_state["models_lively"] = look.is_lively


def _page(found: list[Figures], view: str) -> list[Figures]:
    size = PER_PAGE[view]
    pages = -(-len(found) // size)
    at = min(st.pagination(pages, key=f"models_page_{view}"), pages) - 1 if pages > 1 else 0
    return found[at * size : (at + 1) * size]


def _toolbar(every: Sequence[Figures]) -> Wish:
    """One line above the models; a single one needs none."""
    if len(every) < 2:
        return Wish("", Order.USUAL, [], [], ROWS)
    with st.container(horizontal=True, vertical_alignment="center", key="models_toolbar"):
        wanted = st.text_input(
            "Search",
            placeholder="Search by name",
            label_visibility="collapsed",
            key="models_search",
            width="stretch",
        )
        order = st.selectbox(
            "Sort by",
            [*Order],
            key="models_order",
            label_visibility="collapsed",
            width=150,
            on_change=turn_round,
        )
        engines, states = _filters(every)
        view = st.segmented_control(
            "View",
            [ROWS, TABLE],
            default=TABLE if len(every) > MOST_IN_ROWS else ROWS,
            required=True,
            key="models_view",
            label_visibility="collapsed",
        )
    return Wish(wanted, Order(order), engines, states, view)


def _filters(every: Sequence[Figures]) -> tuple[list[str], list[State]]:
    titles = {one.model.engine: engine_of(one.model).title for one in every}
    there = {one.state for one in every}
    set_before = sum(
        len(st.session_state.get(key) or []) for key in ("models_engines", "models_states")
    )
    label = f"Filter ({set_before})" if set_before else "Filter"
    with st.popover(label, icon=":material/filter_list:", key="models_filter", width="content"):
        engines = st.pills(
            "Engine",
            [*titles],
            selection_mode="multi",
            format_func=lambda name: titles.get(name, name),
            key="models_engines",
        )
        states = st.pills(
            "State",
            [state for state in State if state in there],
            selection_mode="multi",
            format_func=str,
            key="models_states",
        )
    return list(engines or []), [State(state) for state in states or []]


def _nothing(wish: Wish) -> str:
    if not wish.filters:
        return "No model has this in its name."
    also = " and has this in its name" if wish.wanted.strip() else ""
    return f"No model is of this kind{also}: {words.count(wish.filters, 'filter')} set."
