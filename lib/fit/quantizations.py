"""The ways to store a model's numbers: their names, sizes and order of quality.

Sizes of tensor types are ggml's own. Bits per weight of whole files are what llama.cpp's
tools/quantize/README.md gives for Llama 3.1 8B; small models with large vocabularies need more.
"""

from functools import lru_cache
from typing import NamedTuple


class TensorType(NamedTuple):
    """How ggml stores a tensor: `block_bytes` for every `block` elements."""

    name: str
    block: int
    block_bytes: int


TENSOR_TYPES = {
    0: TensorType("F32", 1, 4),
    1: TensorType("F16", 1, 2),
    2: TensorType("Q4_0", 32, 18),
    3: TensorType("Q4_1", 32, 20),
    6: TensorType("Q5_0", 32, 22),
    7: TensorType("Q5_1", 32, 24),
    8: TensorType("Q8_0", 32, 34),
    10: TensorType("Q2_K", 256, 84),
    11: TensorType("Q3_K", 256, 110),
    12: TensorType("Q4_K", 256, 144),
    13: TensorType("Q5_K", 256, 176),
    14: TensorType("Q6_K", 256, 210),
    16: TensorType("IQ2_XXS", 256, 66),
    17: TensorType("IQ2_XS", 256, 74),
    18: TensorType("IQ3_XXS", 256, 98),
    19: TensorType("IQ1_S", 256, 50),
    20: TensorType("IQ4_NL", 32, 18),
    21: TensorType("IQ3_S", 256, 110),
    22: TensorType("IQ2_S", 256, 82),
    23: TensorType("IQ4_XS", 256, 136),
    24: TensorType("I8", 1, 1),
    25: TensorType("I16", 1, 2),
    26: TensorType("I32", 1, 4),
    27: TensorType("I64", 1, 8),
    28: TensorType("F64", 1, 8),
    29: TensorType("IQ1_M", 256, 56),
    30: TensorType("BF16", 1, 2),
    34: TensorType("TQ1_0", 256, 54),
    35: TensorType("TQ2_0", 256, 66),
    39: TensorType("MXFP4", 32, 17),
    40: TensorType("NVFP4", 64, 36),
    41: TensorType("Q1_0", 128, 18),
    42: TensorType("Q2_0", 64, 18),
}

_FILE_TYPE_NAMES = """
    F32 F16 Q4_0 Q4_1 - - - Q8_0 Q5_0 Q5_1 Q2_K Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M
    Q6_K IQ2_XXS IQ2_XS Q2_K_S IQ3_XS IQ3_XXS IQ1_S IQ4_NL IQ3_S IQ3_M IQ2_S IQ2_M IQ4_XS IQ1_M
    BF16 - - - TQ1_0 TQ2_0 MXFP4 NVFP4 Q1_0 Q2_0"""
FILE_TYPES = {
    number: name for number, name in enumerate(_FILE_TYPE_NAMES.split()) if name != "-"
}  # by the number that a file's `general.file_type` holds

_BITS = """
    F32 32.0  F16 16.0  BF16 16.0  Q8_K_XL 10.0  Q8_0 8.50  Q6_K_XL 7.30  Q6_K_L 6.70  Q6_K 6.56
    Q5_1 6.00  Q5_K_XL 5.80  Q5_K_L 5.80  Q5_K_M 5.70  Q5_K_S 5.57  Q5_0 5.54  Q4_1 5.10
    Q4_K_XL 5.00  Q4_K_L 5.00  Q4_K_M 4.89  IQ4_NL 4.68  Q4_K_S 4.67  Q4_0 4.64  NVFP4 4.60
    IQ4_XS 4.46  Q3_K_XL 4.40  MXFP4 4.35  Q3_K_L 4.30  Q3_K_M 4.00  IQ3_M 3.76  IQ3_S 3.66
    Q3_K_S 3.64  IQ3_XS 3.50  Q2_K_XL 3.40  Q2_K_L 3.30  IQ3_XXS 3.25  Q2_K 3.16  Q2_K_S 2.97
    IQ2_M 2.93  IQ2_S 2.74  IQ2_XS 2.59  IQ2_XXS 2.38  Q2_0 2.30  IQ1_M 2.15  TQ2_0 2.06  IQ1_S 2.00
    TQ1_0 1.69  Q1_0 1.13  Q5_K 5.70  Q4_K 4.89  Q3_K 4.00"""
BITS_PER_WEIGHT = {
    name: float(bits) for name, bits in zip(_BITS.split()[::2], _BITS.split()[1::2], strict=True)
}

REPACKED = ("Q4_0", "Q4_K", "IQ4_NL", "MXFP4")  # on x86 copied into another layout when loaded

LADDER = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "IQ4_XS", "Q3_K_M", "Q2_K")  # best first
USUAL = "Q4_K_M"  # what most people take
LOWEST_BY_ITSELF = "Q3_K_M"  # below it answers suffer: only a person may choose that

_NOTES = (  # by the least bits per weight
    (16.0, "As published"),
    (8.0, "As good as the original"),
    (6.5, "Hardly to be told from the original"),
    (5.4, "Very good"),
    (4.8, "Good, the usual choice"),
    (4.32, "Good"),
    (BITS_PER_WEIGHT[LOWEST_BY_ITSELF], "Noticeably weaker"),
    (0.0, "Poor: answers suffer"),
)

MARK = "UD-"  # a publisher's own mixture, which stores the layers that matter more in finer types


@lru_cache(maxsize=1_024)
def quality(quantization: str) -> float:
    """Bits per weight: the order of quality; 0 for an unknown name."""
    return BITS_PER_WEIGHT.get(quantization.removeprefix(MARK), 0.0)


@lru_cache(maxsize=1_024)
def note(quantization: str) -> str:
    """What to expect of a quantization, in a few words; "" for an unknown name."""
    bits = quality(quantization)
    return next((text for least, text in _NOTES if bits >= least), "") if bits else ""


def estimated_bytes(parameters: int, quantization: str) -> int:
    """About how large a file would be that does not exist yet; real files are off by up to 40 %."""
    return round(parameters * BITS_PER_WEIGHT[quantization] / 8)
