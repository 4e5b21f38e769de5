"""What a model looks at of a picture, by the projector that lets it see.

llama.cpp makes every picture as large as the projector wants it: of one size always, or as it is up
to a number of tokens. More pixels than that are not seen.
"""

from lib.core.values import Frozen
from lib.fit.gguf import Header
from lib.fit.image_work import LIMITED, MOST_TOKENS, kind, merged, number

_POOLED = 4  # patches along one side that Gemma 3 makes one token of
_MERGE = {"mlp": 1, "gemma3": _POOLED}
_KNOWN = (*LIMITED, *_MERGE, "pixtral", "kimivl")


class Picture(Frozen):
    """The most that one picture becomes."""

    pixels: int
    tokens: int


def seen(header: Header) -> Picture | None:
    """What the projector of this header sees of a picture; None where it does not tell."""
    side, patch = number(header, "image_size"), number(header, "patch_size")
    if kind(header) not in _KNOWN or not (side and patch):
        return None
    token_side = patch * (_MERGE.get(kind(header)) or merged(header))
    if kind(header) in LIMITED:
        return Picture(pixels=MOST_TOKENS * token_side**2, tokens=MOST_TOKENS)
    return Picture(pixels=side**2, tokens=max(1, (side // token_side) ** 2))
