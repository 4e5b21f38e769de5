"""What stands below a message: its figures, and what can be done with it."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from lib.chat.branches import Tree
from lib.chat.conversations import Turn
from lib.ui.elements.element import element


def message_bar(
    turn: Turn,
    tree: Tree | None,
    line: str,
    is_cut: bool,
    on_act: Callable[[object], None],
    is_retried: bool = False,
) -> None:
    """The bar of one message; `line` stands in it, `is_cut` offers to go on.

    Where `is_retried`, a button below it asks again: the bar has no second one.

    Without a tree, as for answers side by side, it can only be copied. `on_act` is told what was
    clicked, before the page's next run.
    """
    versions = [one["id"] for one in tree.versions(turn)] if tree else []
    key = f"bar-{turn['id']}"
    element("message_bar", is_repeated=True)(
        key=key,
        data={
            "id": turn["id"],
            "role": turn["role"] if tree else "",
            "line": line,
            "isCut": is_cut,
            "isRetried": is_retried,
            "files": [file["name"] for file in turn["files"]] if turn["role"] == "user" else [],
            "versions": versions if len(versions) > 1 else [],
        },
        on_act_change=partial(_clicked, key, on_act),
    )


def _clicked(key: str, on_act: Callable[[object], None]) -> None:
    on_act((st.session_state.get(key) or {}).get("act"))
