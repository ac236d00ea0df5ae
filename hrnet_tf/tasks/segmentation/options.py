"""What can be told to `predict` for segmentation: data without Keras."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SegmentationOptions:
    """How pixels are classified.

    Attributes:
        scales: scales at which the picture is segmented, to add up the results: 0.5,1,1.5.
        flip: average with the mirrored picture.

    Raises:
        ValueError: a scale that is not positive.
    """

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False

    def __post_init__(self):
        if not self.scales or not all(0 < each < float("inf") for each in self.scales):
            raise ValueError(f"`scales` must be positive numbers. Received: scales={self.scales}.")


OPTIONS = SegmentationOptions
