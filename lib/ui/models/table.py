"""Models as a table, for many of them: what decides first, and several chosen at a time."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import streamlit as st

from lib.core import words
from lib.core.access import Action, may, role
from lib.engines.base import Model
from lib.fleet import actions, endpoints
from lib.fleet.figures import Figures, Order
from lib.sharing import for_guests, limits
from lib.ui.elements.model_table import Act, Column, Line, model_table
from lib.ui.models import asking, details, doing, rows, told
from lib.ui.models.states import COLOURS
from lib.ui.session import (
    is_reversed,
    open_details,
    opened_details,
    pick_models,
    picked_models,
    turn_round,
)

COLUMNS = (
    Column(key="name", label="Model", order=Order.NAME),
    Column(key="state", label="State", order=Order.USUAL),
    Column(key="disk", label="Disk", order=Order.DISK),
    Column(key="memory", label="Memory", order=Order.MEMORY),
    Column(key="context", label="Context", order=Order.CONTEXT),
    Column(key="speed", label="tok/s", order=Order.SPEED),
    Column(key="used", label="Used", order=Order.USED),
    Column(key="endpoint", label="Endpoint"),
)


def draw(every: Sequence[Figures], page: Sequence[Figures], order: Order) -> None:
    """One page of the table, what can be done with those chosen, and one model's details."""
    is_owner = may(Action.CONFIGURE)
    known = {one.key: one for one in every}
    picked = [known[key] for key in picked_models() if key in known]
    if is_owner:
        _together(picked, every, {one.key for one in page})
    opened = opened_details() if is_owner else ""
    model_table(
        columns=COLUMNS,
        lines=[_line(one, opened) for one in page],
        order=order,
        is_reversed=is_reversed(),
        chosen=[one.key for one in picked],
        can_choose=is_owner,
        on_act=partial(_act, {one.key: one.model for one in page}),
    )
    for one in every:
        if opened and details.key_of(one.model) == opened:
            with st.container(key="models_opened"):
                rows.draw(one, with_details=True)


def _line(one: Figures, opened: str) -> Line:
    model, key = one.model, details.key_of(one.model)
    taken, expected = told.memory(one)
    name = model.name if model.title else ""
    parts = (name, told.where(model), model.quantization, told.limits(model))
    return Line(
        id=one.key,
        opens=key,
        is_opened=key == opened,
        name=model.called,
        about=" · ".join(part for part in parts if part),
        state="Removed" if one.removal else str(one.state),
        colour="gray" if one.removal else COLOURS[one.state],
        note=told.goes(one) or _note(model),
        can_undo=doing.can_undo(one),
        disk=words.disk(model.size_bytes) if model.size_bytes else "",
        memory=taken,
        expected=expected,
        context=f"{one.context:,}" if one.context else "",
        speed=told.speed(one),
        used=words.ago(one.used_at) if one.used_at else "",
        endpoint=endpoints.call_of(model).path,
    )


def _note(model: Model) -> str:
    if error := actions.failure(model):
        return for_guests.of_error(error)
    is_theirs = limits.may_use(role(), model)
    return for_guests.of_model(model).problem or (model.activity if is_theirs else "")


def _act(shown: Mapping[str, Model], act: Act) -> None:
    """What was clicked in it; of those that it shows, just those that it tells are chosen."""
    if act.do == "choose":
        others = [key for key in picked_models() if key not in shown]
        pick_models([*others, *(key for key in act.ids if key in shown)])
    elif act.do == "open":
        open_details("" if act.id == opened_details() else act.id)
    elif act.do == "undo" and act.id in shown:
        doing.undo(shown[act.id])
    elif act.do == "sort" and act.id in [*Order]:
        _sort(Order(act.id))


def _sort(order: Order) -> None:
    """A second time, the other way round."""
    is_same = st.session_state.get("models_order", Order.USUAL) == order
    turn_round(is_same and not is_reversed())
    st.session_state["models_order"] = order


def _together(picked: Sequence[Figures], every: Sequence[Figures], shown: set[str]) -> None:
    """What can be done with the chosen ones; the place is kept where none is."""
    with st.container(horizontal=True, vertical_alignment="center", key="models_together"):
        if not picked:
            _nothing_chosen(doing.those(every, doing.can_undo))
            return
        hidden = sum(one.key not in shown for one in picked)
        more = f" :gray[({hidden:,} not shown here)]" if hidden else ""
        st.markdown(f"**{len(picked):,} chosen**{more}", width="content")
        _button("Start", doing.those(picked, doing.can_start), doing.start)
        _button("Stop", doing.those(picked, doing.can_stop), doing.stop)
        pinnable = doing.those(picked, doing.can_pin)
        is_kept = bool(pinnable) and all(doing.is_pinned(model) for model in pinnable)
        _button("Unpin" if is_kept else "Pin", pinnable, partial(doing.pin, not is_kept))
        _remove(doing.those(picked, doing.can_remove))
        st.button("Clear", type="tertiary", key="models_none", on_click=pick_models, args=([],))


def _nothing_chosen(going: Sequence[Model]) -> None:
    """What choosing is for; or the way back for several that were removed together."""
    if len(going) < 2:
        st.caption("Choose models to start, stop, pin or remove them together.")
        return
    st.markdown(f"**{len(going):,} removed**", width="content")
    st.button(
        "Undo all",
        key="models_undo_all",
        icon=":material/undo:",
        on_click=doing.undo,
        args=tuple(going),
    )


def _button(label: str, models: Sequence[Model], act: Callable[..., None]) -> None:
    """What it does, with how many: not all may be able to."""
    st.button(
        f"{label} {len(models):,}" if models else label,
        key=f"models_{label.lower()}",
        disabled=not models,
        on_click=act,
        args=tuple(models),
    )


def _remove(models: Sequence[Model]) -> None:
    frees = words.disk(sum(model.frees_bytes for model in models))
    label = f"Remove {len(models):,} (frees {frees})" if models else "Remove"
    icon, is_off = ":material/delete:", not models
    if st.button(
        label,
        icon=icon,
        key="models_remove",
        disabled=is_off,
        on_click=asking.ask,
        args=tuple(models),
    ):
        st.rerun()  # a dialog belongs to the page
