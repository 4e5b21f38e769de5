"""After a day of use, in short: what opens something stands in no log, no file and no bundle."""

from pathlib import Path

import pytest

from lib.core import owner_key
from lib.core.access import Role, acting
from lib.doctor import bundle
from lib.doctor.registry import Look
from tests.support.attacks import CLIENT, JSON
from tests.support.engines import KEY, register
from tests.support.fake_engine import running_fake
from tests.support.gateway import HELLO
from tests.support.guests import CODE, login, shared_server, signed_in
from tests.support.session import opened

TOKEN = "hf_" + "aB3" * 11
OTHERS_KEY = "sk-of-somebody-elses-service-0123456789"
# Each secret has one file of its own.
OF_SECRETS = ("owner.key", "guests.json", "engines/fake.key", "hf_token")


def test_what_opens_something_stands_in_no_log_no_file_and_no_bundle(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        running_fake() as fake,
        shared_server(home, world={"HF_TOKEN": TOKEN, "HF_ENDPOINT": "http://127.0.0.1:1"}) as (
            server,
            url,
        ),
    ):
        register(home, fake)
        owner_key.choose(True)
        authorization = owner_key.authorization()
        key = authorization["Authorization"].removeprefix("Bearer ")
        cookie = signed_in(url)
        made = CLIENT.post(f"{server.url}/api/keys", json={"name": "one"}, headers=authorization)
        secret = made.json()["secret"]
        secrets = [key, cookie.partition("=")[2], secret, TOKEN, OTHERS_KEY, KEY, "abcdefgh", CODE]
        _use(server.url, url, authorization, cookie, secrets)
        with opened(server, **authorization) as tab:
            for page in ("", "System", "Settings", "Models"):
                tab.run(page)
        told = server.output
        server.stop()
    files = {path.relative_to(home).as_posix(): path for path in home.rglob("*") if path.is_file()}
    kept = {name: path.read_bytes() for name, path in files.items() if name not in OF_SECRETS}
    assert [
        (one, name) for name, data in kept.items() for one in secrets if one.encode() in data
    ] == []
    assert [secret for secret in secrets if secret in told] == []
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with acting(Role.OWNER):
        packed = str(bundle.contents(Look(at=1.0)))
    assert [secret for secret in secrets if secret in packed] == []


def _use(
    here: str, there: str, authorization: dict[str, str], cookie: str, secrets: list[str]
) -> None:
    """Right and wrong, with every secret in every place where a client might put it."""
    guest = {"Cookie": cookie, "Origin": there, **JSON}
    assert CLIENT.get(f"{there}/api/models", headers=guest).status_code == 200
    assert login(there, "wrong-one").status_code == 403
    assert CLIENT.get(f"{here}/?key={secrets[0]}").status_code == 303
    for one in secrets:
        bearer = {"Authorization": f"Bearer {one}", "X-Api-Key": one, "User-Agent": one}
        for place in (here, there):
            CLIENT.get(f"{place}/v1/models?key={one}", headers=bearer)
            CLIENT.get(f"{place}/api/models/{one}", headers={"Cookie": f"a={one}"})
        named = {**HELLO, "user": one}
        CLIENT.post(f"{here}/v1/chat/completions", json=named, headers=authorization)
    for one in secrets[2:5]:  # which look like keys
        named = {**HELLO, "model": one}
        CLIENT.post(f"{here}/v1/chat/completions", json=named, headers=authorization)
        CLIENT.post(f"{here}/api/deploy", json={"model": one}, headers=authorization)
        CLIENT.get(f"{here}/api/models/lookup?repo={one}", headers=authorization)
