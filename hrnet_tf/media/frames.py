"""The frames of videos and animated pictures."""

from typing import NamedTuple

import numpy as np


class Frame(NamedTuple):
    """A picture of a video: number from 0, seconds since the first, (H, W, 3) uint8 RGB.

    It is upright and has square pixels, and so may be wider or higher than what the file stores.
    """

    index: int
    time: float
    image: np.ndarray
