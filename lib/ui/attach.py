"""Files for the next message: one element that takes them, and shows what they will cost."""

from lib.ui.element import element


def attach(
    conversation: str, model: str, can_see: bool, sent: int, room: int | None = None
) -> None:
    """A paper clip, and a chip for each file; uploads need no run of the page.

    `model` (engine/name) counts the tokens, `room` is how many are left in its context. With
    another value of `sent` than before, the files have gone with their message.
    """
    element("attach")(
        key="attach",
        data={
            "conversation": conversation,
            "model": model,
            "canSee": can_see,
            "sent": sent,
            "room": room,
        },
    )
