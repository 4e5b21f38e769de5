"""What is set for one browser alone: its theme, and whether it shows notices."""

from collections.abc import Sequence
from typing import Any

from lib.ui.elements.element import element

# Where Streamlit 1.67 keeps the theme that was chosen in its menu, which Berth does not show.
THEME_KEY = "stActiveTheme-{path}-v2"


def theme(pages: Sequence[str]) -> None:
    """Light, dark, or as the system; `pages` are those it holds for, the one it stands on first."""
    element("theme")(key="theme", data={"pages": [*pages], "key": THEME_KEY})


def notice_switch(last: int) -> None:
    """The button that lets this browser show notices: those with a number above `last`."""
    element("notice_switch")(key="notice_switch", data={"last": last})


def notices(found: Sequence[dict[str, Any]]) -> None:
    """Shows those that are new, where this browser was told to; nothing is drawn."""
    element("notices")(key="notices", data={"notices": [*found]})
