"""Waiting for something slow while a page is drawn, without keeping the person waiting."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, ParamSpec, TypeVar

import streamlit as st

LOOK_SECONDS = 0.05

Given = ParamSpec("Given")
Result = TypeVar("Result")

_under_way: dict[Hashable, Future[Any]] = {}
_lock = threading.Lock()


def interruptible(
    work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
) -> Result:
    """What `work` returns or raises; what the person does meanwhile ends the wait, not the work.

    Streamlit ends a run for it only where the page touches Streamlit: so that happens here. Work
    that is under way already is waited for, not begun again. It does not know who visits.
    """
    key = (work, args, tuple(kwargs.items()))
    with _lock:
        done = _under_way.get(key) or _begun(key, partial(work, *args, **kwargs))
    while not wait([done], LOOK_SECONDS).done:
        _ = "anything" in st.session_state
    result: Result = done.result()
    return result


def forget() -> None:
    """What is under way is no answer to what is asked from now on: what it knew has changed."""
    with _lock:
        _under_way.clear()


def _begun(key: Hashable, work: Callable[[], Any]) -> Future[Any]:
    """The work in a thread of its own. Called with the lock held: it ends only once it is known."""
    done: Future[Any] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # raised again where it is waited for
            done.set_exception(error)
        finally:
            with _lock:
                if _under_way.get(key) is done:
                    del _under_way[key]

    threading.Thread(target=run, name="page-work", daemon=True).start()
    _under_way[key] = done
    return done
