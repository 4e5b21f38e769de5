"""Who looks at a page, as the gate tells Streamlit."""

import pytest

from lib.core import access

GUEST = {"role": "guest", "who": "guest-1"}
OWNER = {"role": "owner", "who": "a" * 32}


def nobody_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the server: who is not told of is nobody."""
    monkeypatch.setattr(access, "_process", None)
