"""What can be told to `predict` for depth."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DepthOptions:
    """How distances are measured.

    Attributes:
        scale_depth: factor of all distances.
    """

    scale_depth: float = 1.0


OPTIONS = DepthOptions
