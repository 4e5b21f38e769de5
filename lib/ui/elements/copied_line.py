"""A line with a button that copies it, for pages whose first screen has one."""

from lib.ui.elements.element import element


def copied_line(text: str, key: str) -> None:
    """The text letter for letter; Streamlit's own element for code is far slower to load."""
    element("copied_line")(key=key, data={"text": text})
