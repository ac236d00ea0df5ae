"""The precisions of converted files, a table that imports without TensorFlow."""

import dataclasses

TYPES = ("float32", "int8", "uint8")  # that inputs and outputs of a file can have


@dataclasses.dataclass(frozen=True)
class Precision:
    """How a file stores its numbers and computes with them.

    Attributes:
        description: what it is for, one line of help.
        weights: "float32", "float16" or "int8".
        activations: bits of the integers that all results are rounded to, 8 or 16; None for float.
        equalize: scale channels to similar sizes first; for results of 8 bits.
        correct: round each kernel so that its errors cancel on the examples.
        float_head: the operations that make the outputs stay float.
    """

    description: str
    weights: str = "int8"
    activations: int | None = 8
    equalize: bool = False
    correct: bool = False
    float_head: bool = False

    @property
    def calibrated(self) -> bool:
        """Whether ranges must be measured on examples."""
        return self.activations is not None

    @property
    def integers(self) -> bool:
        """Whether CPUs compute it by their fast products of bytes."""
        return self.activations == 8


PRECISIONS = {
    "float32": Precision("as trained: the reference", "float32", None),
    "float16": Precision("half the size, the same accuracy: for GPUs", "float16", None),
    "dynamic": Precision("int8 weights and float results: a quarter of the size", "int8", None),
    "int16x8": Precision(
        "int8 weights and int16 results: accurate, slow", "int8", 16, correct=True
    ),
    "int8": Precision(
        "all int8, equalized and corrected: small and fast", equalize=True, correct=True
    ),
    "int8_float_head": Precision(
        "int8 with a float last layer: finer maps", equalize=True, correct=True, float_head=True
    ),
    "int8_min_max": Precision("int8 with ranges as seen: what other converters do"),
}
