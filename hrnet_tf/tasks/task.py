"""What a task is: all that prediction, its files and its flags have to know of it."""

import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from hrnet_tf.runtime.network import Network
from hrnet_tf.tasks.card import Card
from hrnet_tf.tasks.streaming import Timings


class Item(NamedTuple):
    """An image to predict.

    Attributes:
        key: what the result is asked for by.
        image: (H, W, 3) uint8 RGB.
        boxes: (N, 4) x, y, width, height in its pixels; None for the whole image.
        scores: (N,) of the boxes; None for 1.
    """

    key: Hashable
    image: np.ndarray
    boxes: np.ndarray | None = None
    scores: np.ndarray | None = None


# Where boxes come from: (key, image) -> (boxes (N, 4), scores (N,)), or None for the whole image.
BoxSource = Callable[[Hashable, np.ndarray], tuple[np.ndarray, np.ndarray] | None]


class ImageIds(Protocol):
    """What knows the ids of pictures, such as a file of boxes."""

    def image_id(self, path: str | os.PathLike) -> int | None:
        """The id of a picture; None if it has none."""


class Predictor(Protocol):
    """From images to results of one task.

    Attributes:
        card: of the network.
        timings: of the stages so far.
    """

    card: Card
    timings: Timings

    def __call__(self, image: np.ndarray, boxes: np.ndarray | None = None) -> Any:
        """The result of one image; tasks that know no boxes have no such argument."""

    def stream(self, items: Iterable[Item | tuple]) -> Iterator[tuple[Hashable, np.ndarray, Any]]:
        """For each item, in their order, `(key, image, result)`; memory does not grow."""


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        card: its class of cards; `card.task` is the name.
        options: frozen dataclass of what a predictor can be told, the flags of `predict`.
        predictor: from network, card and options to a predictor.
        records: `(name, image id, result, card)` to the entries of `results.json`; `name` is that
            of the written pictures, without suffix.
        draw: `(image, result, card)` to the pictures to write, one for each suffix.
        suffixes: of these pictures, keys of `prediction.pictures.FORMATS`.
        counted: what the records are, for the summary; None if one belongs to each picture.
        tables: flag -> function that writes `results.FLAG`: `(path, records, labels)`.
        views: flag -> folder for a picture of each single result, and the function that draws it.
        view_options: options that a predictor needs for views.
        wants_boxes: whether a detector or a file tells where to look.
        follow: writes the results of a video; None if the task knows none.
    """

    card: type[Card]
    options: type
    predictor: Callable[[Network, Card, Any], Predictor]
    records: Callable[[str, int, Any, Card], list[dict]]
    draw: Callable[[np.ndarray, Any, Card], Sequence] = lambda image, result, card: ()
    suffixes: tuple[str, ...] = ()
    counted: str | None = None
    tables: Mapping[str, Callable] = field(default_factory=dict)
    views: Mapping[str, tuple[str, Callable]] = field(default_factory=dict)
    view_options: Mapping[str, Any] = field(default_factory=dict)
    wants_boxes: bool = False
    follow: Callable | None = None
