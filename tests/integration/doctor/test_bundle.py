"""The support bundle: secrets are planted in every source, and none is in the ZIP."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.core import access, owner_key, preferences
from lib.core.access import Role, acting
from lib.core.errors import Forbidden
from lib.doctor import bundle
from lib.doctor.__main__ import main
from lib.doctor.finding import Finding, Fix, Severity
from lib.doctor.registry import Look
from lib.engines.base import StartOptions
from lib.engines.llamacpp import ENGINE, records
from lib.engines.vllm import addresses
from lib.hub import token
from lib.keys import store
from lib.keys.key import NewKey
from lib.sharing import guests
from tests.support.jobs import bash, ended
from tests.support.tiny_gguf import write_tiny

pytestmark = pytest.mark.usefixtures("nothing_outlives_its_test")

USER, ACCOUNT_HOME = "marguerite", "/home/marguerite"
HUB_TOKEN, ENVIRONMENT_TOKEN, LOGIN_TOKEN = (f"hf_{letter * 32}" for letter in "abc")
REMOTE_KEY, SLOT_KEY = "remote-engine-key-0123456789", "slot-key-abcdefghijklmnop"
OTHER_KEY, PROXY_PASSWORD = "sk-1234567890abcdefghij", "proxy-pass-w0rd"
HOOK_PATH = "/services/T0A1/B0C2/a-hook-that-must-not-be-told"
HOOK = f"https://hooks.example.com{HOOK_PATH}"
COOKIES = {
    "berth_browser": "0f" * 16,
    "berth_key_8501": "cookie-of-the-owner-0123456789",
    "_streamlit_xsrf": "2|1a2b|cookie-of-streamlit|1764",
}


@pytest.fixture
def secrets(
    home: Path, models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[list[str]]:
    """Every one that there is, and what must not be told of who somebody is."""
    monkeypatch.setenv("LOGNAME", USER)
    monkeypatch.setenv("HF_TOKEN", ENVIRONMENT_TOKEN)
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "login"))
    monkeypatch.setenv("OLLAMA_HOST", f"http://u:{PROXY_PASSWORD}@127.0.0.1:1")
    (tmp_path / "login").write_text(LOGIN_TOKEN)
    token.save_token(HUB_TOKEN)
    owner_key.choose(True)
    addresses.add("lab", "http://10.0.0.5:8000/v1", REMOTE_KEY)
    code = guests.access_code()
    write_tiny(models / "tiny.gguf")
    ENGINE.start("tiny", StartOptions(context=256))
    (home / "slots").mkdir()
    (home / "slots" / "0.key").write_text(SLOT_KEY)
    engine_key = records.key("tiny")
    assert engine_key is not None
    found = [
        *(
            HOOK,
            HOOK_PATH,
            HUB_TOKEN,
            ENVIRONMENT_TOKEN,
            LOGIN_TOKEN,
            REMOTE_KEY,
            SLOT_KEY,
            OTHER_KEY,
        ),
        *(PROXY_PASSWORD, code, code.replace("-", ""), engine_key.get_secret_value()),
        (home / "owner.key").read_text().strip(),
        json.loads((home / "guests.json").read_text())["key"],
        USER,
        str(home),
    ]
    found.append(store.create(NewKey(name="laptop"))[1])
    found.append(guests.sign_in(code, "10.0.0.7"))
    _plant(home, found)
    yield [*found, *COOKIES.values()]


def _plant(home: Path, secrets: list[str]) -> None:
    """In each kind of file that the bundle takes something from."""
    cookies = "; ".join(f"{name}={value}" for name, value in COOKIES.items())
    cookies += f"\nSet-Cookie: berth_guest={secrets[-1]}; HttpOnly\nsaw {cookies}"
    told = f"{' '.join(secrets)}\nCookie: {cookies}\nAuthorization: Bearer {OTHER_KEY}\n"
    told += f"in {ACCOUNT_HOME}/models and {home}/models, https://x:{PROXY_PASSWORD}@host/\n"
    job = ended(bash("true"))
    (job.folder / "log").write_text(told)
    record = json.loads((job.folder / "job.json").read_text())
    record["details"] = {"said": told, "api_key": OTHER_KEY}
    record["title"] = f"Deploy by {USER}"
    (job.folder / "job.json").write_text(json.dumps(record))
    for name in ("tiny.log", f"{USER}.failed"):
        (home / "engines" / name).write_text(told)
    preferences.change(webhook=HOOK)
    preferences.change(llama_server=f"{ACCOUNT_HOME}/bin/llama-server", share_address="10.0.0.9")


def finding(secrets: list[str]) -> Finding:
    return Finding(
        id="planted",
        severity=Severity.WARNING,
        title=" ".join(secret for secret in secrets if secret not in COOKIES.values()),
        wanted="None of it.",
        why="It is planted.",
        fix=Fix(label="Look", command=f"ls {ACCOUNT_HOME}"),
    )


def test_no_secret_and_no_name_is_in_the_bundle(secrets: list[str]) -> None:
    entries = bundle.contents(Look(at=1.0, findings=(finding(secrets),)))
    with zipfile.ZipFile(io.BytesIO(bundle.packed(entries))) as file:
        every = {name: file.read(name).decode() for name in file.namelist()}
    leaks = [
        f"{secret} in {name}"
        for name, text in every.items()
        for secret in secrets
        if secret.lower() in text.lower() or secret.lower() in name.lower()
    ]
    assert leaks == []
    whole = "\n".join(every.values())
    assert "***" in whole and "BERTH_HOME" in whole and "USER" in whole


def test_the_bundle_says_what_is_in_it_and_has_it(secrets: list[str]) -> None:
    entries = {entry.name: entry for entry in bundle.contents(Look(at=1.0))}
    index = entries["README.txt"].text
    assert all(
        f"{name}: {entry.about}" in index
        for name, entry in entries.items()
        if entry.about != "this list"
    )
    machine = json.loads(entries["machine.json"].text)
    assert machine["machine"]["cores"] >= 1 and "disks" in machine
    assert json.loads(entries["versions.json"].text)["packages"]["streamlit"]
    assert json.loads(entries["settings.json"].text)["hub login"] == "environment"
    models = json.loads(entries["engines.json"].text)["models"]
    assert [model["name"] for model in models] == ["tiny"]
    assert any(name.startswith("jobs/") and entry.text for name, entry in entries.items())
    assert sum(name.startswith("engines/") for name in entries) == 2


def test_a_part_that_cannot_be_read_does_not_cost_the_rest(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(bundle, "_machine", fails)
    entries = {entry.name: entry.text for entry in bundle.contents(Look(at=1.0))}
    assert entries["machine.json"] == "It could not be read: OSError: the disk is gone\n"
    assert "packages" in entries["versions.json"]


def test_a_guest_gets_no_bundle() -> None:
    with acting(Role.GUEST, "g"), pytest.raises(Forbidden):
        bundle.contents(Look())


def test_the_command_writes_the_file_once_and_lists_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "help.zip"
    assert main(["bundle", str(file)]) == 0
    said = capsys.readouterr().out
    assert "findings.txt: what the doctor found" in said and f"{file} is written" in said
    assert zipfile.is_zipfile(file)
    assert main(["bundle", str(file)]) == 2
    assert "is there already" in capsys.readouterr().err


def test_the_command_tells_mends_and_ignores(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(access, "_process", None)
    home.mkdir()
    home.chmod(0o755)
    assert main([]) == 1
    assert "Close it: mend home:open" in capsys.readouterr().out
    assert main(["ignore", "home:open"]) == 0
    main(["--json"])
    told = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert [row["ignored"] for row in told["findings"] if row["id"] == "home:open"] == [True]
    assert main(["show", "home:open"]) == main(["mend", "home:open"]) == 0
    assert home.stat().st_mode & 0o077 == 0
    assert main(["mend", "home:open"]) == 4
    assert "no finding “home:open” now" in capsys.readouterr().err
