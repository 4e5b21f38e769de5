"""Streamlit's page, as it is served."""

from pathlib import Path

from streamlit import file_util

from lib.api.own_page import own

PAGE = (Path(file_util.get_static_dir()) / "index.html").read_bytes()


def test_all_that_is_to_be_replaced_is_found_in_the_page_of_the_pinned_release() -> None:
    page = own(PAGE)
    shown = page.partition(b"<head>")[2].lower()  # above stands the licence, which stays
    assert b"<title>berth</title>" in shown
    assert b"favicon.png" not in shown
    assert b"agent" not in shown
    words = shown.partition(b"<script>")[0] + shown.partition(b"<body>")[2]
    assert b"streamlit" not in words


def test_another_page_is_left_as_it_is() -> None:
    assert own(b"<p>hello</p>") == b"<p>hello</p>"


def test_a_page_of_another_release_is_another_build() -> None:
    def build(page: bytes) -> bytes:
        return own(page).partition(b'name="berth-build" content="')[2][:12]

    assert build(PAGE) == build(PAGE)
    assert build(PAGE) != build(PAGE.replace(b"index.", b"index2."))
