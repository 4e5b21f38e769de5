"""Files for the next message: one element that takes them, and shows what they will cost."""

import streamlit as st

from lib.chat import attachments
from lib.chat.conversations import File, is_id
from lib.ui.elements.element import element
from lib.ui.session import owner

KEY = "attach"


def attach(
    conversation: str, model: str, can_see: bool, sent: int, room: int | None = None
) -> None:
    """A paper clip, and a chip for each file; uploads need no run of the page.

    `model` (engine/name) counts the tokens, `room` is how many are left in its context. `sent` is
    how many messages there are: with one more, the files have gone with it.
    """
    element("attach")(
        key=KEY,
        data={
            "conversation": conversation,
            "model": model,
            "canSee": can_see,
            "sent": sent,
            "room": room,
        },
        on_kept_change=_remember,
    )


def taken(conversation: str) -> list[File]:
    """The files for the message that is being sent."""
    return attachments.take(owner(), conversation) if owner() else []


def has_files(conversation: str) -> bool:
    """Is something attached to a message that is not sent yet?"""
    return bool(owner() and attachments.drafts(owner(), conversation))


def _remember() -> None:
    """A conversation with files and no words is found again after a reload: by its address."""
    kept = str((st.session_state.get(KEY) or {}).get("kept") or "")
    if is_id(kept):
        st.query_params["c"] = kept
    else:
        st.query_params.pop("c", None)
