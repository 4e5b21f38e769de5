"""A bug in a page is told without Streamlit's own words."""

import pytest
from streamlit import config
from streamlit.elements import exception
from streamlit.testing.v1 import AppTest

from lib.ui import own_words


def broken() -> None:
    raise RuntimeError("a secret")


def test_what_a_bug_shows_is_berths_and_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "_GENERIC_UNCAUGHT_EXCEPTION_TEXT"
    monkeypatch.setattr(exception, name, getattr(exception, name))
    before = config.get_option("client.showErrorDetails")
    config.set_option("client.showErrorDetails", "none")
    try:
        own_words.use()
        [shown] = AppTest.from_function(broken).run().exception
    finally:
        config.set_option("client.showErrorDetails", before)
    assert shown.message == own_words.FAILED
    assert "Streamlit" not in shown.message
