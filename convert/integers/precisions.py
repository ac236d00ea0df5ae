"""The precisions of a converted network: a table that needs no TensorFlow."""

import dataclasses

TYPES = ("float32", "int8", "uint8")  # of what goes into a file and comes out


@dataclasses.dataclass(frozen=True)
class Precision:
    """How the numbers of a file are stored and computed.

    Attributes:
        description: what it is for, one line.
        weights: "float32", "float16" or "int8".
        activations: bits of the integers of all results, 8 or 16; None for float.
        equalize: bring the channels to the same size first; for results of 8 bits.
        clip: cut off rare values where finer steps for the others are worth more.
        correct: round the numbers of a kernel so that their errors cancel on real images.
        float_head: leave the last convolution float.
    """

    description: str
    weights: str = "int8"
    activations: int | None = 8
    equalize: bool = False
    clip: bool = False
    correct: bool = False
    float_head: bool = False

    @property
    def calibrated(self) -> bool:
        """Whether ranges must be measured on images."""
        return self.activations is not None


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
