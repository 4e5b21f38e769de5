"""A model's state as it is drawn."""

from typing import Literal

import streamlit as st

from lib.engines.base import Model, State
from lib.fleet.figures import state_of

COLOURS: dict[State, Literal["green", "blue", "red", "gray"]] = {
    State.READY: "green",
    State.STARTING: "blue",
    State.STOPPING: "blue",
    State.DOWNLOADING: "blue",
    State.FAILED: "red",
    State.STOPPED: "gray",
}
BUSY = (State.STARTING, State.STOPPING, State.DOWNLOADING)


def badge(model: Model) -> State:
    """Draw the model's state, and return it."""
    state = state_of(model)
    st.badge(str(state), color=COLOURS[state])
    return state
