"""Functions for all kinds of annotation files: checks of paths and images, JSON, image sizes."""

import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from hrnet_tf.files import one_line
from hrnet_tf.media.images import TURNS, decode_image, orientation, read_image

Report = Callable[[str], None]

DRAWINGS = "person_keypoints.json"  # as `data.synthetic` calls annotations
ALIKE = (2, 3, 4)  # EXIF orientations that do not change the size


class Note(str):
    """A line for `report` that needs no action: nothing was left out, and no number changes."""

    __slots__ = ()


def to_stderr(line: str) -> None:
    """The default `report`: prints the line to stderr."""
    print(line, file=sys.stderr)


@dataclass(frozen=True)
class ImageFile:
    """An image file.

    Attributes:
        id: of the annotations.
        path: of the file.
        size: (height, width) from the annotations, or else from the file.
    """

    id: int
    path: Path
    size: tuple[int, int]


def check_paths(annotations: str | Path, images_dir: str | Path) -> tuple[Path, Path]:
    """Returns both as paths; raises FileNotFoundError if one does not exist."""
    if not os.path.isfile(annotations):
        raise FileNotFoundError(
            f"`annotations` must be a file. Received: annotations={annotations}. Check the path."
            f"{how_to_draw(Path(annotations))}"
        )
    if not os.path.isdir(images_dir):
        raise FileNotFoundError(
            f"`images_dir` must be a folder. Received: images_dir={images_dir}. Check the path."
        )
    return Path(annotations), Path(images_dir)


def how_to_draw(path: Path) -> str:
    """The command that makes annotations or pictures, if their path is one of drawings."""
    shapes = "shapes" in path.parts
    if not (shapes or "drawings" in path.parts or path.name == DRAWINGS):
        return ""
    folder = path if shapes else path.parent
    more, number = ("--kind=shapes ", 210) if shapes else ("", 110)
    more += f"--num_images={number} --seed=1" if folder.name == "val" else "--num_images=1000"
    command = f"python -m hrnet_tf.training.data.synthetic --output={folder} {more}"
    return f" For drawings, `{command}` makes it."


def left_out(annotations: Path, what: str, error: Exception) -> str:
    """A line for `report` about a record or image that cannot be used."""
    reason = f"it has no {error}" if isinstance(error, KeyError) else error
    return " ".join(f"{annotations}: {what} is left out: {reason}.".splitlines())


def measure(folder: Path, names: Iterable[str], report: Report) -> dict[str, ImageFile]:
    """Reads the sizes of images from their headers; reports each unusable image with a line.

    This is for annotation files without sizes. EXIF orientation is ignored, as by the
    original.

    Returns:
        The usable images by name.
    """
    names = list(dict.fromkeys(names))
    with ThreadPoolExecutor() as pool:
        sizes = list(pool.map(lambda name: _stored_size(folder / name), names))
    images = {}
    for number, (name, size) in enumerate(zip(names, sizes, strict=True)):
        if isinstance(size, str):
            report(left_out(folder, f"image {name}", ValueError(size)))
        else:
            images[name] = ImageFile(number, folder / name, size)
    return images


class Look(NamedTuple):
    """What the file of an annotated image is like.

    Attributes:
        flaw: why it cannot be used; empty if it can.
        remark: what may be wrong with it, though it is used; empty if nothing.
    """

    flaw: str = ""
    remark: str = ""

    def line(self, path: Path) -> str:
        """A line for `report`; empty if there is nothing to say."""
        if self.flaw:
            return f"{path} is left out: {self.flaw}."
        return self.remark and f"{path}: {self.remark}."


def look(image: ImageFile, decode: bool = True) -> Look:
    """Compares the file of an image with its annotated size; without `decode`, by its header."""
    remarks = []
    try:
        with Image.open(image.path) as picture:
            turn, stored = orientation(picture), picture.size[::-1]
            if picture.format != "MPO" and getattr(picture, "is_animated", False):
                remarks.append("it has several frames, of which the first is used")
        if decode:
            with open(image.path, "rb") as file:
                decode_image(file, image.path, note=remarks.append)
    except FileNotFoundError:
        return Look("the file is not there")
    except Exception as error:  # Pillow raises many types on damaged files
        return Look(f"it cannot be decoded ({one_line(error)})")
    if stored == image.size:
        if turn in ALIKE or (turn in TURNS and stored[0] == stored[1]):
            remarks.append(
                "EXIF turns or mirrors it, and its size does not tell whether the annotation "
                "follows that; the stored pixels are used"
            )
        return Look("", "; ".join(remarks))
    if turn in TURNS and turn not in ALIKE and stored[::-1] == image.size:
        return Look("", "; ".join(remarks))
    reason = f"it is {_pixels(stored)}, by its `width` and `height` {_pixels(image.size)}"
    down, across = (ours / theirs for ours, theirs in zip(stored, image.size, strict=True))
    if abs(down - across) < 0.02 * down:
        reason += f": {across:.3g} times as large; was it resized after annotation?"
    elif stored[::-1] == image.size:
        reason += ": was it turned after annotation?"
    return Look(reason)


def read_annotated(
    path: Path, size: tuple[int, int] | None = None, part: tuple[int, int] | None = None
) -> np.ndarray:
    """The pixels of an image as its annotation sees them, (H, W, 3) uint8.

    They are the stored ones if these have the annotated size, or else those that EXIF turns upright
    if these have it. COCO's annotations, for example, ignore EXIF; those of most tools follow it.

    Args:
        path: the image file.
        size: annotated (height, width); the stored one if None.
        part: the image's place in a file of several, as in `read_image`.

    Raises:
        OSError, ValueError: the file cannot be read, or neither has the annotated size.
    """
    pixels = read_image(path, apply_exif=False, part=part)
    if size is None or pixels.shape[:2] == tuple(size):
        return pixels
    if pixels.shape[1::-1] == tuple(size):
        upright = read_image(path, part=part)
        if upright.shape[:2] == tuple(size):
            return upright
    raise ValueError(f"{path} is left out: {look(ImageFile(0, path, tuple(size)), False).flaw}.")


def size_without_turn(path: Path) -> tuple[int, int] | str:
    """(height, width) of a file that EXIF does not turn, or a text that says why there is none."""
    try:
        with Image.open(path) as picture:
            turn, size = orientation(picture), picture.size[::-1]
    except Exception as error:
        return f"it cannot be read ({one_line(error)})"
    if turn in TURNS:
        return (
            "EXIF turns it, and without `width` and `height` nothing tells whether the annotation "
            "follows that"
        )
    return size


def _stored_size(path):
    """(height, width) from the header of a file, or a text that says why there is none."""
    try:
        with Image.open(path) as picture:
            return picture.size[::-1]
    except FileNotFoundError:
        return "the file is not there"
    except Exception as error:
        return f"it cannot be read ({one_line(error)})"


def _pixels(size):
    return f"{size[1]} pixels wide and {size[0]} high"
