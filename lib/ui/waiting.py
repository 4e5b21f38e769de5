"""Waiting for something slow while a page is drawn, without keeping the person waiting."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
from typing import ParamSpec, TypeVar

import streamlit as st

LOOK_SECONDS = 0.05

Given = ParamSpec("Given")
Result = TypeVar("Result")


def interruptible(
    work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
) -> Result:
    """What `work` returns or raises; what the person does meanwhile ends the wait, not the work.

    Streamlit ends a run for it only where the page touches Streamlit: so that happens here.
    """
    done: Future[Result] = Future()
    context = copy_context()

    def run() -> None:
        try:
            done.set_result(context.run(work, *args, **kwargs))
        except Exception as error:  # raised again where it is waited for
            done.set_exception(error)

    threading.Thread(target=run, name="page-work", daemon=True).start()
    while not wait([done], LOOK_SECONDS).done:
        _ = "anything" in st.session_state
    return done.result()
