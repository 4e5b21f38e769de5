"""What is taken out of a support bundle's texts."""

import json
from getpass import getuser
from pathlib import Path

import pytest

from lib.core import owner_key
from lib.doctor.clean import Cleaner, environment
from lib.sharing import guests

TOKEN = "hf_" + "aB3" * 12


def test_cookies_are_taken_out_as_headers_and_by_name() -> None:
    clean = Cleaner().text
    assert clean("Cookie: berth_guest=abc.def; x=1\nnext") == "Cookie: ***\nnext"
    assert clean("set-cookie: berth_browser=00ff; Path=/") == "set-cookie: ***"
    assert clean("seen berth_key_8501=s3cr3t; and _streamlit_xsrf=2|9|8 here") == (
        "seen berth_key_8501=***; and _streamlit_xsrf=*** here"
    )


def test_the_access_code_is_taken_out_in_both_spellings() -> None:
    shown = guests.access_code()
    said = Cleaner().text(f"typed {shown} or {shown.replace('-', '')}.")
    assert said == "typed *** or ***."


def test_keys_that_stand_in_files_are_known_by_value(home: Path) -> None:
    owner_key.choose(True)
    (home / "engines").mkdir()
    (home / "engines" / "m.key").write_text("an-engine-key-of-43-characters\n")
    own = (home / "owner.key").read_text().strip()
    assert Cleaner().text(f"{own} an-engine-key-of-43-characters") == "*** ***"


def test_names_of_account_and_folders_are_taken_out(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "marguerite")
    monkeypatch.setenv("HOME", "/home/marguerite")
    assert getuser() == "marguerite"
    said = Cleaner().text(f"{home}/models of Marguerite in /home/marguerite/x, marguerites")
    assert said == "BERTH_HOME/models of USER in ~/x, marguerites"


def test_a_name_of_two_letters_stays_as_it_is_part_of_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOGNAME", "al")
    assert Cleaner().text("al dente") == "al dente"


def test_json_keeps_its_form_and_loses_what_is_named_like_a_secret() -> None:
    value = {"engine": {"api_key": "x1", "name": "lab"}, "codes": 3, "list": [{"code": "abcd"}]}
    said = json.loads(Cleaner().json(value))
    assert said == {
        "engine": {"api_key": "***", "name": "lab"},
        "codes": 3,
        "list": [{"code": "***"}],
    }


def test_of_secret_variables_it_is_told_only_that_they_are_there() -> None:
    told = environment({"HF_TOKEN": TOKEN, "BERTH_PORT": "8501", "PATH": "/bin"})
    assert told == {"HF_TOKEN": "***", "BERTH_PORT": "8501"}
