"""Every name in the table is listed as the table says, and who names a file gets it or a reason."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lib import deploy
from lib.core.errors import BerthError
from lib.deploy import Plan
from lib.fit.kinds import WORDS, Kind
from lib.fit.memory import Room
from lib.hub import contents, look_up
from tests.support.by_products import write_by_product
from tests.support.hub_api import HubApi
from tests.support.names_of_files import Listed, names_of_files
from tests.support.shapes import PATTERN, header_bytes

pytestmark = pytest.mark.usefixtures("no_ollama")

TABLE = names_of_files()
ROOM = Room(free_bytes=2**40, total_bytes=2**40)
REASONS = {  # a word of the sentence for each
    "part missing": "other parts",
    "hidden": "hidden",
    "no GGUF file": "no GGUF file",
}


@cache
def held(kind: str) -> bytes:
    """The bytes of a small file of this kind."""
    if kind in ("model", "other", "document"):
        return header_bytes()
    with TemporaryDirectory() as folder:
        return write_by_product(Path(folder) / "x.gguf", kind).read_bytes()


def fill(hub: HubApi, files: list[Listed]) -> str:
    repo = files[0].repository
    hub.copy_repository(PATTERN, repo, siblings=[], tags=["gguf"])
    for one in files:
        hub.add_file(repo, one.file, held(one.holds), size=one.bytes)
    return repo


def planned(repo: str, file: str = "") -> Plan:
    return deploy.plan(deploy.wished(model=repo, file=file), ROOM)


@pytest.mark.parametrize("files", TABLE.values(), ids=TABLE.keys())
def test_a_repository_is_listed_as_a_person_expects(hub: HubApi, files: list[Listed]) -> None:
    repo = fill(hub, files)
    wanted = {one.file: (one.listed_as, one.quantization) for one in files if one.listed_as}
    kinds = {one.file: one.not_listed for one in files if one.not_listed in WORDS}
    if not wanted:
        with pytest.raises(BerthError) as caught:
            planned(repo)
        assert not kinds or any(
            WORDS[Kind(kind)] in caught.value.message for kind in kinds.values()
        )
        return
    found = contents(look_up(repo))
    assert {v.first: (v.title, v.quantization) for v in found.models} == wanted
    assert found.beside == kinds
    rows = {row.files[0]: row.name for row in planned(repo).rows}
    assert rows == {path: title for path, (title, _) in wanted.items()}


@pytest.mark.parametrize("files", TABLE.values(), ids=TABLE.keys())
def test_who_names_a_file_gets_it_or_the_reason(hub: HubApi, files: list[Listed]) -> None:
    repo = fill(hub, files)
    for one in files:
        if one.listed_as or one.not_listed == "later part":
            assert one.file in [file.path for file in planned(repo, one.file).files]
            continue
        if one.not_listed == "document":  # whoever pastes its address means the repository
            assert planned(repo, one.file).title == planned(repo).title
            continue
        with pytest.raises(BerthError) as caught:
            planned(repo, one.file)
        said = REASONS.get(one.not_listed) or WORDS[Kind(one.not_listed)]
        assert said in caught.value.message
