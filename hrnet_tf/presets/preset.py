"""`Preset`, and the facts and functions that all tables of presets share."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras

from hrnet_tf.cards.card import Card
from hrnet_tf.files import sha256

OPENMMLAB = "https://download.openmmlab.com/"
MEASURED = (800, 1344, 3)  # detectors' input for photos of 3:5 and wider

# Licences of the data sets; the weight files have licences of their own.
_LICENCES = {
    "ImageNet-1k": "non-commercial research",
    "COCO train2017": "annotations CC BY 4.0, images under Flickr's terms",
    "AI Challenger": "unknown",
    "COCO-WholeBody train": "non-commercial research",
    "MPII train": "non-commercial research",
    "CrowdPose trainval": "unknown",
    "AP-10K train": "CC BY 4.0",
    "300W train": "non-commercial research",
    "AFLW train": "non-commercial research",
    "COFW train": "unknown",
    "WFLW train": "unknown",
    "OneHand10K train": "unknown",
    "Cityscapes train": "non-commercial",
    "LIP train": "non-commercial research",
    "PASCAL-Context train": "unknown",
    "ADE20K train": "annotations BSD 3-clause, images for non-commercial research",
    "COCO-Stuff 10K train": "annotations CC BY 4.0, images under Flickr's terms",
}


@dataclass(frozen=True)
class Preset:
    """One published network.

    Attributes:
        name: key in `PRESETS`.
        builder: makes the architecture from `kwargs`.
        kwargs: arguments of `builder`.
        card: the classes or keypoints and the preprocessing that the weights were trained with.
        url: published weight file; empty if none is published in a format this package reads, or
            none under a stable address.
        sha256: first hex digits of the file's SHA-256; empty where unknown.
        trained_on: data sets, in order of training.
        result: published number with its protocol; "unknown" if none is published.
        licence: of the file, then of each data set; "unknown" if none is stated.
        source: configuration that the file was trained by.
    """

    name: str
    builder: Callable[..., keras.Model]
    kwargs: Mapping[str, object]
    card: Card
    url: str
    sha256: str
    trained_on: str
    result: str
    licence: str
    source: str

    @property
    def output(self) -> str:
        """What comes out, in a few words."""
        return f"{len(self.card.labels())} {self.card.label_set}"

    @property
    def size(self) -> str:
        """Height x width of the input; "any" if it is open."""
        height, width, _ = self.kwargs["input_shape"]
        return "any" if height is None else f"{height}x{width}"

    @property
    def measured(self) -> dict[str, object]:
        """`kwargs` of the network whose cost is listed; `MEASURED` where the input is open."""
        return {**self.kwargs, **({"input_shape": MEASURED} if self.size == "any" else {})}

    def verify(self, path: Path) -> None:
        """Raises a ValueError if a file under the published name is not the published file."""
        if not self.sha256 or path.name != self.url.rsplit("/", 1)[1] or not path.is_file():
            return
        digest = sha256(path)
        if not digest.startswith(self.sha256):
            raise ValueError(
                f"{path} is truncated or altered: its SHA-256 begins with {digest[:8]}, that of "
                f"the published file with {self.sha256}. Delete it and get it again from "
                f"{self.url}."
            )

    def no_download(self) -> str:
        """The message for a preset without an address: why there is none, and what to do."""
        return (
            f"`weights` of preset {self.name!r} must be a file or None: the file has no stable "
            f"address. Get it by {self.source} and give its path."
        )


def size_of(text: str) -> tuple[int, int, int]:
    """`input_shape` from "height x width"."""
    height, width = map(int, text.split("x"))
    return height, width, 3


def licence(file: str, data: Iterable[str]) -> str:
    """The licences of the file and of each data set, in one line."""
    return "; ".join((f"file: {file}", *(f"{each}: {_LICENCES[each]}" for each in data)))
