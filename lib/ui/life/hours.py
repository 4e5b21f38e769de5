"""The days and times at which a model is in memory."""

import datetime as dt

import streamlit as st

from lib.engines.base import Model
from lib.fleet import rules
from lib.fleet.hours import DAYS, Hours
from lib.fleet.rules import Rule
from lib.ui.shell import shown_errors

WIDTH = 320


def choice(model: Model, rule: Rule, key: str) -> None:
    """A button that says what is set, and opens the fields."""
    now = rule.hours or Hours()
    with st.popover(
        f"Hours: {rule.hours.words}" if rule.hours else "No hours",
        icon=":material/schedule:",
        key=f"hours-{key}",
        help="Started at their begin and stopped at their end, while Berth runs. A reply that is "
        "being written then is waited for.",
    ):
        st.pills(
            "Days",
            range(len(DAYS)),
            selection_mode="multi",
            default=list(now.days),
            format_func=lambda day: DAYS[day][:2],
            key=f"hours-days-{key}",
            width=WIDTH,
        )
        with st.container(horizontal=True, width=WIDTH):
            for name in ("begin", "end"):
                st.time_input(
                    "From" if name == "begin" else "To",
                    value=dt.time.fromisoformat(getattr(now, name)),
                    step=900,
                    key=f"hours-{name}-{key}",
                )
        with st.container(horizontal=True):
            st.button("Save", key=f"hours-save-{key}", on_click=_save, args=(model, key))
            if rule.hours:
                st.button("No hours", key=f"hours-off-{key}", on_click=_forget, args=(model,))


def _save(model: Model, key: str) -> None:
    seen = st.session_state
    with shown_errors():
        hours = Hours(
            days=tuple(sorted(seen[f"hours-days-{key}"] or ())),
            begin=f"{seen[f'hours-begin-{key}']:%H:%M}",
            end=f"{seen[f'hours-end-{key}']:%H:%M}",
        )
        _change(model, hours if hours.days else None)


def _forget(model: Model) -> None:
    with shown_errors():
        _change(model, None)


def _change(model: Model, hours: Hours | None) -> None:
    rules.update(model, hours=hours)
