"""Mean error in metres."""

from pathlib import Path

import numpy as np

from hrnet_tf.training.evaluate import Evaluation, Wanted


class DepthEvaluator:
    """Keeps one error per picture, not the maps."""

    def __init__(self, truth, scoring):
        self._truth = dict(zip(truth.rows["name"], truth.rows["metres"], strict=True))
        self._scoring = scoring
        self.wanted = [Wanted(name, Path(scoring.images) / name) for name in self._truth]

    def reset(self, predictor):
        self._errors = {}

    def add(self, key, depth):
        far = depth >= self._scoring.farther_than
        self._errors[key] = float(np.abs(depth - self._truth[key])[far].mean())

    def finish(self):
        rows = {str(name): {"error": error} for name, error in self._errors.items()}
        return Evaluation(
            {"error": float(np.mean([*self._errors.values()]))},
            main=("error", False),
            tables={"per_picture": rows},
            words="errors in metres",
        )
