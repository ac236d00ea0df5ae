"""From images to maps of metres."""

import time

import numpy as np
from keras import ops

from hrnet_tf.media.resize import resize
from hrnet_tf.runtime.network import fixed_size
from hrnet_tf.tasks.streaming import Timings


class DepthPredictor:
    """Distances in metres, (H, W) float32, at the size of the image."""

    def __init__(self, network, card, options):
        self.network, self.card, self.factor = network, card, options.scale_depth
        self.timings = Timings()

    def __call__(self, image, boxes=None):
        start = time.perf_counter()
        small = resize(image, fixed_size(self.network))
        arrays = {"image": ops.convert_to_numpy(self.card.normalize(small))[None]}
        found = self.network(arrays)
        self.card.check_arrays(found)
        self.timings.add("network", time.perf_counter() - start)
        depth = resize(np.asarray(found["depth"][0]), image.shape[:2])[..., 0]
        return depth * self.card.farthest * self.factor

    def stream(self, items):
        for item in items:
            key, image, *_ = item
            yield key, image, self(image)
