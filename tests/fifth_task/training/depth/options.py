"""How a depth network is scored, as data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DepthScoring:
    """What a depth network is scored on.

    Attributes:
        annotations: distances of pictures, a JSON file.
        images: folder of these pictures.
        farther_than: metres: nearer pixels do not count.
    """

    annotations: str
    images: str
    farther_than: float = 0.0

    def options(self):
        """What the predictor is told."""
        return {}


SCORING = DepthScoring
TABLES = {"per_picture": "print a table of the pictures, too"}
