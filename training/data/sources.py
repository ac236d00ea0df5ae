"""Functions for all kinds of annotation files: checks of paths and images, JSON, image sizes."""

import json
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image

Report = Callable[[str], None]

DECODERS = ("JPEG", "PNG")  # formats that the training pipeline decodes


def to_stderr(line: str) -> None:
    """The default `report`: prints the line to stderr."""
    print(line, file=sys.stderr)


@dataclass(frozen=True)
class ImageFile:
    """An image file; `size` is (height, width) from the annotations, or else from the file."""

    id: int
    path: Path
    size: tuple[int, int]


def check_paths(annotations: str | Path, images_dir: str | Path) -> tuple[Path, Path]:
    """Returns both as paths; raises FileNotFoundError if one does not exist."""
    if not Path(annotations).is_file():
        raise FileNotFoundError(
            f"`annotations` must be a file. Received: annotations={annotations}. Check the path."
        )
    if not Path(images_dir).is_dir():
        raise FileNotFoundError(
            f"`images_dir` must be a folder. Received: images_dir={images_dir}. Check the path."
        )
    return Path(annotations), Path(images_dir)


def read_json(annotations: Path) -> object:
    """The content of a JSON file; raises ValueError if it is not JSON."""
    try:
        return json.loads(annotations.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"`annotations` must be JSON ({error}). Received: annotations={annotations}. "
            "Is the download complete?"
        ) from None


def left_out(annotations: Path, what: str, error: Exception) -> str:
    """A line for `report` about a record or image that cannot be used."""
    reason = f"it has no {error}" if isinstance(error, KeyError) else error
    return " ".join(f"{annotations}: {what} is left out: {reason}.".splitlines())


def measure(folder: Path, names: Iterable[str], report: Report) -> dict[str, ImageFile]:
    """Reads the sizes of images from their headers; reports each unusable image with a line.

    This is for annotation files without sizes. EXIF orientation is ignored, as everywhere in
    training.

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


def flaw(image: ImageFile, decode: bool = True) -> str:
    """Why an image cannot be trained on; empty if it can. Without `decode`, reads headers only."""
    try:
        with Image.open(image.path) as picture:
            turned = picture.getexif().get(ExifTags.Base.Orientation, 1) > 4
            if decode:
                picture.load()
            kind, size = picture.format, picture.size[::-1]
    except FileNotFoundError:
        return "the file is not there"
    except Exception as error:  # Pillow raises many types on damaged files
        return f"it cannot be decoded ({_one_line(error)})"
    if kind not in DECODERS:
        return f"it is {kind}, not {' or '.join(DECODERS)}"
    if size == image.size:
        return ""
    reason = f"it is {_pixels(size)}, its annotation says {_pixels(image.size)}"
    if turned and size == image.size[::-1]:
        reason += ": the annotation follows its EXIF orientation, so turn the pixels for good"
    return reason


def _stored_size(path):
    """(height, width) from the header of a file, or a text that says why there is none."""
    try:
        with Image.open(path) as picture:
            return picture.size[::-1]
    except FileNotFoundError:
        return "the file is not there"
    except Exception as error:
        return f"it cannot be read ({_one_line(error)})"


def _one_line(error):
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _pixels(size):
    return f"{size[1]} pixels wide and {size[0]} high"
