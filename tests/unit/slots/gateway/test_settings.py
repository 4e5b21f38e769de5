from pathlib import Path

import pytest

from lib.core.errors import BadInput
from lib.engines.vllm.places import Places
from lib.slots.gateway.settings import gateway_settings

WHOLE = """
port = 8200
hosts = ["llm.example.org"]

[[servers]]
model = "acme/Anvil-8B"
address = "http://10.0.0.2:8000"
name = "anvil"
key = "SECOND_KEY"
"""


def written(folder: Path, text: str) -> Places:
    places = Places(root=folder)
    places.settings.mkdir(parents=True)
    (places.settings / "gateway.toml").write_text(text)
    return places


def test_without_a_file_nginx_listens_on_8100_and_nobody_else_is_asked(tmp_path: Path) -> None:
    found = gateway_settings(Places(root=tmp_path))
    assert (found.front.port, found.backends) == (8100, [])


def test_all_of_it_is_read(tmp_path: Path) -> None:
    found = gateway_settings(written(tmp_path, WHOLE))
    assert found.front.port == 8200
    assert found.front.hosts == ("localhost", "127.0.0.1", "[::1]", "llm.example.org")
    (backend,) = found.backends
    assert (backend.name, backend.address) == ("anvil", "http://10.0.0.2:8000/v1")
    assert backend.key_variable == "SECOND_KEY"


@pytest.mark.parametrize(
    "text",
    [
        "port = 0",
        "port =",
        "prot = 8100",
        'hosts = ["a;b"]',
        '[[servers]]\nmodel = "m"',
        '[[servers]]\nmodel = "m"\naddress = "ftp://a"',
        '[[servers]]\nmodel = "m"\naddress = "http://a"\nkey = "sk-12345"',
    ],
)
def test_what_makes_no_sense_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match=r"gateway.toml cannot be understood|is not"):
        gateway_settings(written(tmp_path, text))


def test_a_file_that_others_can_write_is_not_trusted(tmp_path: Path) -> None:
    places = written(tmp_path, "port = 8100")
    (places.settings / "gateway.toml").chmod(0o666)
    with pytest.raises(BadInput, match="can be changed by others than root"):
        gateway_settings(places)
