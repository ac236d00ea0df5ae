"""What the numbers of a network with classes are: logits, or what an activation made of them."""

import numpy as np

from hrnet_tf.names import check_choice

SCORES = ("logits", "probabilities", "sigmoid")
TINY = 1e-7  # probabilities count as at least this far from 0 and 1
RETURNS = {
    "logits": "logits",
    "probabilities": "probabilities, after a softmax",
    "sigmoid": "probabilities of each class, after a sigmoid",
}


def check_scores(scores: str, one_channel: bool, classes: int) -> None:
    """Raises ValueError unless the fields of a card go together and tell classes apart."""
    check_choice("scores", scores, SCORES)
    if classes == 1 or (one_channel and (classes != 2 or scores == "probabilities")):
        raise ValueError(
            "`classes` must be at least two, since the largest of one channel is always the same. "
            f"Received: {classes} classes, one_channel={one_channel}, scores={scores!r}. For a "
            "network of one channel name what it finds second, such as classes=('background', "
            "'thing'), with one_channel=True, and scores='sigmoid' if it ends in one."
        )


def logits_of(numbers: np.ndarray, scores: str, one_channel: bool) -> np.ndarray:
    """Logits of each class.

    Args:
        numbers: (..., C) as the network returns them, (..., 1) if `one_channel`.
        scores: one of `SCORES`.
        one_channel: the numbers are those of the second of two classes.

    Returns:
        (..., C) float32; (..., 2) if `one_channel`, zeros for the first class.
    """
    numbers = np.asarray(numbers, np.float32)
    if scores != "logits" and np.isfinite(numbers).all():
        sure = np.clip(numbers.astype(np.float64), TINY, 1 - TINY)
        numbers = np.log(sure) - (np.log1p(-sure) if scores == "sigmoid" else 0)
    if one_channel:
        numbers = np.concatenate([np.zeros_like(numbers), numbers], -1)
    return numbers.astype(np.float32)
