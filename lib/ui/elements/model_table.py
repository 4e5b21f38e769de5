"""A table of models, a line each, some of them chosen: it sorts nothing itself and tells clicks."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import streamlit as st
from pydantic import BaseModel, ValidationError

from lib.ui.elements.element import element

KEY = "model_table"


class Column(NamedTuple):
    """A heading; a click on it asks for `order`, where that is not empty."""

    key: str
    label: str
    order: str = ""


class Line(NamedTuple):
    """One model, in words."""

    id: str
    opens: str  # what a click on its name tells
    is_opened: bool
    name: str
    about: str
    state: str
    colour: str
    note: str
    can_undo: bool
    disk: str
    memory: str
    expected: str
    context: str
    speed: str
    used: str
    endpoint: str


class Act(BaseModel):
    """What was clicked. Of those that are shown, all that are chosen are told, each time."""

    n: int
    do: Literal["choose", "open", "undo", "sort"]
    id: str = ""
    ids: list[str] = []


def model_table(
    columns: Sequence[Column],
    lines: Sequence[Line],
    order: str,
    is_reversed: bool,
    chosen: Sequence[str],
    can_choose: bool,
    on_act: Callable[[Act], None],
) -> None:
    """Draw it; `on_act` hears what was clicked, before the next run."""
    told: dict[str, Any] = st.session_state.setdefault("model_table_heard", {"n": 0})
    element("model_table")(
        key=KEY,
        data={
            "heard": told["n"],
            "columns": [column._asdict() for column in columns],
            "lines": [line._asdict() for line in lines],
            "order": order,
            "isReversed": is_reversed,
            "chosen": list(chosen),
            "canChoose": can_choose,
        },
        on_act_change=partial(_hear, on_act),
    )


def _hear(on_act: Callable[[Act], None]) -> None:
    try:
        act = Act.model_validate((st.session_state.get(KEY) or {}).get("act"))
    except ValidationError:
        return  # not from our element
    heard = (st.session_state.get("model_table_heard") or {}).get("n", 0)
    st.session_state["model_table_heard"] = {"n": max(heard, act.n)}
    on_act(act)
