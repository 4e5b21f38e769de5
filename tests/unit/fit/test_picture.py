"""What a projector's header tells of the pictures it sees."""

from pathlib import Path

import pytest

from lib.fit import gguf, picture
from lib.fit.picture import Picture
from tests.support import projectors


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("llava", Picture(pixels=336**2, tokens=576)),
        ("gemma3", Picture(pixels=896**2, tokens=256)),
        ("qwen2_vl", Picture(pixels=1_024 * 28**2, tokens=1_024)),
        ("qwen3_vl", Picture(pixels=1_024 * 32**2, tokens=1_024)),
        ("pixtral", Picture(pixels=1_540**2, tokens=55**2)),
        ("internvl", None),  # how many pieces, its engine decides
    ],
)
def test_the_most_that_is_seen_of_one_picture(
    tmp_path: Path, name: str, seen: Picture | None
) -> None:
    path = projectors.write(tmp_path / "mmproj.gguf", projectors.PROJECTORS[name]())
    assert picture.seen(gguf.read_file(path)) == seen
