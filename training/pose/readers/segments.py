"""Areas of people by their segments, to compare with what annotations say."""

from collections.abc import Mapping

import numpy as np


def polygon_area(annotation: Mapping) -> float | None:
    """The area in the polygons of an annotation's `segmentation`; None if it has none."""
    polygons = annotation.get("segmentation")
    if not isinstance(polygons, list) or not polygons:
        return None
    total = 0.0
    for polygon in polygons:
        try:
            x, y = np.array(polygon, np.float64).reshape(-1, 2).T
        except (TypeError, ValueError):
            return None
        total += abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    return float(total)
