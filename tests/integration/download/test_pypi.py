"""Wheels on the index that pip is set to use."""

import os
from pathlib import Path

import pytest

from lib.core.errors import NotFound
from lib.download import pypi
from tests.support.fake_hub import FakeHub


def test_the_index_that_pip_is_set_to_use_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    settings = tmp_path / "pip.conf"
    settings.write_text("[global]\nindex-url = https://mirror.example.org/simple/\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    assert pypi.index_url() == "https://mirror.example.org/simple"
    settings.write_text("[install]\nindex-url = https://u:p@own.example.org/simple\n")
    assert pypi.index_host() == "own.example.org"
    monkeypatch.setenv("PIP_INDEX_URL", "https://named.example.org/simple/")
    assert pypi.index_url() == "https://named.example.org/simple"


@pytest.mark.parametrize("text", ["", "[global", "index-url = x", "\0\udcff", "[global]\nx=%(y)s"])
def test_odd_settings_of_pip_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "pip.conf").write_bytes(text.encode("utf-8", "surrogateescape"))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "missing"))
    assert pypi.index_url().startswith("https://")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert pypi.index_url() == pypi.PUBLIC_INDEX


@pytest.mark.parametrize("html_index", [False, True], ids=["json", "html"])
def test_a_wheel_is_found_on_either_form_of_index(
    monkeypatch: pytest.MonkeyPatch, html_index: bool
) -> None:
    with FakeHub(html_index=html_index) as index:
        monkeypatch.setenv("PIP_INDEX_URL", index.index_url)
        index.add_wheel("some-parts", "some_parts-1.0-py3-none-any.whl", b"one")
        address = index.add_wheel("some-parts", "some_parts-2.0-py3-none-any.whl", b"two")
        assert pypi.find_file("some-parts", "some_parts-2.0-py3-none-any.whl") == address
        with pytest.raises(NotFound, match=r"does not have some_parts-3\.0"):
            pypi.find_file("some-parts", "some_parts-3.0-py3-none-any.whl")
        with pytest.raises(NotFound, match="does not have x"):
            pypi.find_file("other", "x")
