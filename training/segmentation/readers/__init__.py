"""Readers of annotated segmentation data: pictures with a mask each, in any of `FORMATS`.

Annotations are a folder of masks, a list of pictures and masks, or COCO instances. The layouts of
folders and lists are in `layouts`, the numbers of the masks in `labels.label_values`.

Readers look at headers alone: decoding all masks of a large set takes long. Masks with numbers that
no class has are found by `inspect`; training and evaluation leave them out and name them.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.training.data.sources import ImageFile, Report, look, to_stderr
from hrnet_tf.training.segmentation.masks import MaskError, Meaning, check_kind, meaning
from hrnet_tf.training.segmentation.options import SegmentationScoring
from hrnet_tf.training.segmentation.readers.instances import read_instances
from hrnet_tf.training.segmentation.readers.layouts import pairs


@dataclass(frozen=True)
class Record:
    """A picture and its mask: a PNG file, or the content of one with classes as numbers."""

    image: ImageFile
    mask: Path | bytes


@dataclass(frozen=True)
class Annotated:
    """Annotated pictures.

    Attributes:
        path: the annotations.
        records: the usable ones, each picture once.
        meaning: of their masks.
    """

    path: Path
    records: tuple[Record, ...]
    meaning: Meaning


def read(
    data: SegmentationScoring, card: SegmentationCard, report: Report = to_stderr
) -> Annotated:
    """Reads annotated pictures.

    Args:
        data: where they are and what the masks mean.
        card: names and colours of the classes.
        report: receives a line for each picture or mask that is left out.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: the annotations are of another kind, or the classes do not fit them.
    """
    annotations, images = Path(data.annotations), Path(data.images)
    if not annotations.exists():
        raise FileNotFoundError(
            "`annotations` must be a folder of masks, a list, or COCO instances. "
            f"Received: annotations={annotations}. Check the path."
        )
    if not images.is_dir():
        raise FileNotFoundError(
            f"`images` must be a folder. Received: images={images}. Check the path."
        )
    if data.labels == "coco_instances":
        found, meant = read_instances(annotations, images, card.classes, report)
        records = [Record(*each) for each in found]
        return Annotated(annotations, tuple(records), meant)
    meant = meaning(data.labels, data.encoding, card.palette, data.ignore_label, data.ignore_color)
    files = pairs(data.labels, annotations, images, report)
    own = card.palette if data.labels == "masks" else None
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda pair: _record(*pair, meant, own), enumerate(files)))
    for _, line in found:
        if line:
            report(line)
    records = [record for record, _ in found if record]
    if not records:
        raise ValueError(
            f"{annotations} must have masks of pictures in {images}. None of {len(files)} can be "
            "used."
        )
    return Annotated(annotations, tuple(records), meant)


def _record(
    number: int, files: tuple[Path, Path], meant: Meaning, palette
) -> tuple[Record | None, str]:
    """A record, or None, and a sentence on it, which may be empty; decodes no pixels."""
    image, mask = files
    try:
        with Image.open(image) as picture:
            file = ImageFile(number, image, picture.size[::-1])
    except Exception:
        file = ImageFile(number, image, (0, 0))
    seen = look(file, decode=False)
    if seen.flaw:
        return None, seen.line(image)
    try:
        with Image.open(mask) as picture:
            check_kind(picture)
            size, mode = picture.size[::-1], picture.mode
            colors = picture.getpalette("RGB") if mode == "P" else None
        if mode == "RGB" and meant.values is not None:
            raise MaskError(
                "it has colours, not numbers; give encoding=color and the classes with their "
                "colours"
            )
        if mode not in ("RGB", "P") and meant.values is None:
            raise MaskError("it has numbers, not colours; the encoding is not `color`")
        if size != file.size:
            raise MaskError(_sizes(size, file))
        if palette and colors and meant.values is not None:
            check_palette(colors, palette)
    except MaskError as error:
        return None, f"{mask} is left out: {error}."
    except Exception as error:  # Pillow raises many types on damaged files
        reason = " ".join(str(error).split())
        return None, f"{mask} is left out: it cannot be read ({reason})."
    return Record(file, mask), seen.line(image)


def check_palette(colors: Sequence[int], palette: Sequence) -> None:
    """Raises MaskError if a mask's palette has the classes' colours at other places."""
    stored = list(zip(colors[::3], colors[1::3], colors[2::3], strict=True))
    wanted = [tuple(each) for each in palette]
    if stored[: len(wanted)] != wanted and set(wanted) <= set(stored):
        raise MaskError(
            "its palette has the classes' colours at other places, so its numbers are not the "
            "classes; give encoding=color"
        )


def _sizes(size, file):
    height, width = file.size
    reason = f"it is {size[1]} pixels wide and {size[0]} high, its picture {width} and {height}"
    if size == (width, height):
        reason += "; perhaps it follows the picture's EXIF orientation: turn the pixels for good"
    return reason
