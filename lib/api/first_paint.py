"""What the served page has of Berth's own before Streamlit's scripts have come.

A style sheet and a script inside the page itself: fetched, they would come after the first paint.
"""

from lib.api.own_page import ELEMENTS

STYLES = ("first_paint", "page", "chat_page")
# Outside of what Streamlit draws: a screen reader hears of a change only in what was there before.
STATUS = b'<div id="berth-says" class="berth-unseen" role="status"></div>'


def dressed(page: bytes) -> bytes:
    """The page with its first styles, its script, and the one region that tells what changed."""
    style = b"".join((ELEMENTS / f"{name}.css").read_bytes() for name in STYLES)
    script = (ELEMENTS / "first_paint.js").read_bytes()
    head = b"<style>" + style + b"</style><script>" + script + b"</script>"
    page = page.replace(b"</title>", b"</title>" + head, 1)
    return page.replace(b"</body>", STATUS + b"</body>", 1)
