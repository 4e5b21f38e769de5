"""What a guest leaves behind when the visit ends: nobody reads the answers, nobody can send."""

from lib.chat import attachments, replies


def end_work(login: str) -> None:
    """Stop what is written for this guest, and drop what was attached and not sent."""
    replies.stop_all(replies.under_way(login))
    attachments.forget_guests(login)
