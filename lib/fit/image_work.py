"""What the engine works on an image in, by the projector that lets a model see.

The sizes are those that llama.cpp's `reserve_compute_meta` printed for the shapes in
tests/support/projectors.py (2026-10): for every patch of the image floats of what its costliest
step makes. How many patches there are is told by the file, or by the most pixels that are taken.
"""

from lib.core.values import Frozen
from lib.fit.gguf import Header

MOST_TOKENS = 1_024  # of one image, where the size is not the model's own: about a megapixel
UNKNOWN_BYTES = 256 * 2**20  # for an image, where the projector does not tell
MOST_BYTES = 8 * 2**30  # more than that is no image: the header is wrong
# Models that take an image as large as it is, up to four times as many tokens: hours on a CPU.
LIMITED = ("qwen2vl_merger", "qwen2.5vl_merger", "qwen2.5o", "qwen3vl_merger")
_ANY_SIZE = (*LIMITED, "pixtral", "kimivl")
_TILED = ("internvl",)  # cut to pieces, of which as many are worked on at once
_WIDTHS = {  # how many of a patch's width live beside the feed-forward step
    "qwen2vl_merger": 2,
    "qwen2.5vl_merger": 2,
    "qwen2.5o": 2,
    "qwen3vl_merger": 4,
    "pixtral": 4,
    "kimivl": 4,
}
_USUAL_WIDTHS, _COLOURS = 3, 3


class Projector(Frozen):
    """The file that lets a model see, as the memory need sees it."""

    bytes: int
    image_bytes: int = UNKNOWN_BYTES  # what an image is worked on in
    limits_images: bool = False  # to MOST_TOKENS


def described(header: Header, file_bytes: int) -> Projector:
    """What a projector of this header takes."""
    return Projector(
        bytes=file_bytes, image_bytes=image_bytes(header), limits_images=limits_images(header)
    )


def limits_images(header: Header) -> bool:
    """Does it take images of a size that can, and should, be limited to MOST_TOKENS?"""
    return kind(header) in LIMITED


def image_bytes(header: Header) -> int:
    """Working memory for the largest image; UNKNOWN_BYTES where the header does not tell."""
    width, forward, patch = (
        number(header, name) for name in ("embedding_length", "feed_forward_length", "patch_size")
    )
    patches = _patches(header, patch) if patch else 0
    if not (width and forward and patches):
        return UNKNOWN_BYTES
    found = 4 * patches * max(_layer(header, width, forward), _projection(header, width))
    if kind(header) in LIMITED:  # the image itself stays, and with windows a mask of it
        found += 4 * patches * _COLOURS * patch * patch
        found += 2 * patches * patches if number(header, "n_wa_pattern") else 0
    return found if found <= MOST_BYTES else UNKNOWN_BYTES


def _layer(header: Header, width: int, forward: int) -> int:
    """Floats of a patch in a layer."""
    has_gate = any(tensor.name == "v.blk.0.ffn_gate.weight" for tensor in header.tensors)
    widths = _WIDTHS.get(kind(header), _USUAL_WIDTHS)
    return (3 if has_gate else 1) * forward + widths * width


def _projection(header: Header, width: int) -> int:
    """Floats of a patch where each becomes a token: in LLaVA's two matrices, one wide result each.

    Elsewhere several patches become one, and that is less than a layer.
    """
    if kind(header) != "mlp":
        return 0
    names = ("mm.0.weight", "mm.2.weight")
    matrices = [t for t in header.tensors if t.name in names and len(t.shape) > 1]
    wide = sum(matrix.shape[1] for matrix in matrices)
    return wide + 3 * width // 2


def _patches(header: Header, patch: int) -> int:
    """Of the largest image that is worked on at once."""
    side = number(header, "image_size") // patch
    each = side * side + any(tensor.name == "v.class_embd" for tensor in header.tensors)
    if kind(header) in _ANY_SIZE:
        return MOST_TOKENS * merged(header) ** 2
    if kind(header) in _TILED:
        tokens = max(1, each // merged(header) ** 2)
        return each * max(1, MOST_TOKENS // tokens)
    return each


def merged(header: Header) -> int:
    """How many patches, along one side, become one token."""
    names = ("spatial_merge_size", "projector.scale_factor")
    return next((n for n in (number(header, name) for name in names) if 0 < n <= 16), 2)


def kind(header: Header) -> str:
    """The projector's type; "" where it does not say."""
    values = header.values
    found = values.get("clip.vision.projector_type") or values.get("clip.projector_type")
    return str(found or "")


def number(header: Header, name: str) -> int:
    """A size of the part that sees; 0 where there is none, or none that can be."""
    value = header.values.get(f"clip.vision.{name}", 0)
    return value if isinstance(value, int) and 0 < value < 2**20 else 0
