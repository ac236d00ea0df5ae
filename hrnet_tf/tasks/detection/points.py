"""Runs FCOS, which predicts a box from every point of its maps."""

import time

import numpy as np

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.runtime.network import Network
from hrnet_tf.tasks.detection import fcos
from hrnet_tf.tasks.detection.candidates import Candidates, finite

KINDS = ("class_logits", "log_distances", "centerness")


class Points:
    """Runs a network whose card has no `stages`, FCOS or its light kind, as a `Finder`."""

    def __init__(self, network: Network, card: DetectionCard):
        self.seconds = 0.0
        self._network, self._card = network, card

    def candidates(self, image, threshold, classes):
        """See `Finder`."""
        start = time.perf_counter()
        found = self._network({"image": image.pixels[None]})
        self.seconds += time.perf_counter() - start
        self._card.check_arrays(found)
        parts = []
        for level in self._card.levels:
            names = (f"{kind}_P{level}" for kind in KINDS)
            maps = [finite(name, found[name])[0] for name in names]
            if classes is not None:
                maps[0] = maps[0][..., classes]
            size, geometry = image.size, self._card.geometry
            parts.append(fcos.candidates(maps, 2**level, size, threshold, geometry=geometry))
        boxes, scores, chosen = (np.concatenate(each) for each in zip(*parts, strict=True))
        return Candidates(boxes, scores, chosen if classes is None else classes[chosen])
