"""Streamlit's page in Berth's words: its title, its mark, and what it says in a silence.

The script stands in the page itself: it has to run before Streamlit's, and when no script could be
fetched any more.
"""

import base64
import hashlib
import re

from lib.core.settings import ROOT

ELEMENTS = ROOT / "lib" / "ui" / "elements"
MARK = ROOT / "docs" / "mark.svg"
_TITLE = re.compile(rb"<title>.*?</title>", re.DOTALL)
_ICON = re.compile(rb'(<link rel="shortcut icon" href=")[^"]*(")')
_WITHOUT_SCRIPTS = re.compile(rb"<noscript>.*?</noscript>", re.DOTALL)
# It leads to what the gate keeps shut, and its note says whose it is.
_SERVICE = re.compile(rb'\s*<!--(?:(?!-->).)*-->\s*<link rel="service-desc"[^>]*>', re.DOTALL)
_FIRST = b'<script type="module"'


def own(page: bytes) -> bytes:
    """The page as it is served; what is not found in it is left as it is."""
    mark = base64.b64encode(MARK.read_bytes())
    page = _TITLE.sub(b"<title>Berth</title>", page, count=1)
    page = _ICON.sub(rb"\1data:image/svg+xml;base64," + mark + rb"\2", page, count=1)
    page = _SERVICE.sub(b"", page, count=1)
    told = b"<noscript><p>Berth needs JavaScript: switch it on for this page.</p></noscript>"
    page = _WITHOUT_SCRIPTS.sub(told, page, count=1)
    return _with_words(page)


def _with_words(page: bytes) -> bytes:
    """Our script before the first of Streamlit's, and which build of the page this is."""
    script, style = (_text(f"silence.{kind}") for kind in ("js", "css"))
    ours = b"<style>" + style + b"</style>\n    <script>" + script + b"</script>\n    "
    build = hashlib.sha256(page + ours).hexdigest()[:12]
    ours = f'<meta name="berth-build" content="{build}">\n    '.encode() + ours
    return page.replace(_FIRST, ours + _FIRST, 1)


def _text(name: str) -> bytes:
    return (ELEMENTS / name).read_bytes()
