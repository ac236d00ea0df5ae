"""`Task`: what prediction, its files and its flags need to know of a task."""

import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from hrnet_tf.cards.card import Card
from hrnet_tf.runtime.network import Network
from hrnet_tf.tasks.streaming import Timings


class Item(NamedTuple):
    """An image to predict.

    Attributes:
        key: is returned with the result, to tell whose it is.
        image: (H, W, 3) uint8 RGB.
        boxes: (N, 4) x, y, width, height in pixels of the image; None for the whole image.
        scores: (N,) scores of the boxes; None if all are 1.
    """

    key: Hashable
    image: np.ndarray
    boxes: np.ndarray | None = None
    scores: np.ndarray | None = None


# Finds the boxes of an image: (key, image) -> (boxes (N, 4), scores (N,)), or None for all of it.
BoxSource = Callable[[Hashable, np.ndarray], tuple[np.ndarray, np.ndarray] | None]


class ImageIds(Protocol):
    """A source of COCO image ids, such as a file of boxes."""

    def image_id(self, path: str | os.PathLike) -> int | None:
        """The id of a picture; None if it has none."""


class Predictor(Protocol):
    """Computes the results of one task from images.

    Attributes:
        card: the network's card.
        timings: seconds of each stage so far.
    """

    card: Card
    timings: Timings

    def __call__(self, image: np.ndarray, boxes: np.ndarray | None = None) -> Any:
        """The result of one image; only predictors of tasks with boxes have `boxes`."""

    def stream(self, items: Iterable[Item | tuple]) -> Iterator[tuple[Hashable, np.ndarray, Any]]:
        """Yields `(key, image, result)` in the order of the items, in bounded memory."""


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        card: the class of its cards; `card.task` is the task's name.
        options: a frozen dataclass of the predictor's options, which are flags of `predict`.
        predictor: (network, card, options) -> a `Predictor`.
        records: (name, image id, result, card) -> the picture's entries in `results.json`; `name`
            is the file name of the written pictures, without suffix.
        draw: (image, result, card) -> the pictures to write, one for each suffix. If the task's
            options have a dataclass `DRAWING`, its fields are keyword arguments, here and of
            `follow`.
        suffixes: the file suffixes of these pictures, keys of `prediction.pictures.FORMATS`.
        counted: the name of one kind of record for the summary, such as "persons"; None if each
            picture has one record.
        tables: flag -> function of (path, records, labels) that writes `results.FLAG`.
        views: flag -> (folder, function); the function draws one result of a picture, and each of
            these drawings is a file in the folder.
        view_options: options that a predictor needs if there are views.
        wants_boxes: whether predictors take boxes, from a detector or a file.
        follow: predicts a video and writes the results; None if the task has no videos.
        parts: (Keras model, card) -> the parts by name that its predictor runs in turn and that are
            converted to a file each, "image" first; empty if the model is converted as a whole.
    """

    card: type[Card]
    options: type
    predictor: Callable[[Network, Card, Any], Predictor]
    records: Callable[[str, int, Any, Card], list[dict]]
    draw: Callable[..., Sequence] = lambda image, result, card: ()
    suffixes: tuple[str, ...] = ()
    counted: str | None = None
    tables: Mapping[str, Callable] = field(default_factory=dict)
    views: Mapping[str, tuple[str, Callable]] = field(default_factory=dict)
    view_options: Mapping[str, Any] = field(default_factory=dict)
    wants_boxes: bool = False
    follow: Callable | None = None
    parts: Callable[[Any, Card], Mapping[str, Any]] = lambda model, card: {}

    def chosen(self, options: Mapping[str, Any]) -> Any:
        """The options of these values; raises ValueError for a name that is no option."""
        try:
            return self.options(**options)
        except TypeError:
            known = ", ".join(self.options.__dataclass_fields__)
            raise ValueError(
                f"`options` of {self.card.task} are {known}. Received: {', '.join(options)}."
            ) from None
