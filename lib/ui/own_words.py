"""What Streamlit says itself, in Berth's words."""

from streamlit.elements import exception

FAILED = (
    "Something on this page went wrong that Berth has no words for; what it was is in Berth's log. "
    "Load the page again. If it comes back, the doctor on the System page makes a file to send "
    "along with a report."
)


def use() -> None:
    """From now on: what a bug in a page shows, which would speak of Streamlit's own cloud."""
    exception._GENERIC_UNCAUGHT_EXCEPTION_TEXT = FAILED  # type: ignore[misc]
