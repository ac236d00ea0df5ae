"""Reads picture files into arrays."""

import io
import logging
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from hrnet_tf.files import existing, one_line
from hrnet_tf.media import depth
from hrnet_tf.media.find import ANIMATED, HEIC

LOG = logging.getLogger(__name__)

# Pillow warns of half as many pixels as it refuses, and photos of 100 million pixels are usual.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

NO_PICTURE = "not a picture that can be read"

# EXIF orientation -> what a viewer must do before it shows the picture.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def max_pixels() -> int:
    """How many pixels a picture may have: as many as Pillow opens, 179 million unless changed.

    Setting `PIL.Image.MAX_IMAGE_PIXELS` changes it, here and in training.
    """
    return 2 * Image.MAX_IMAGE_PIXELS if Image.MAX_IMAGE_PIXELS else 2**62


def read_image(
    path: str | os.PathLike, apply_exif: bool = True, part: tuple[int, int] | None = None
) -> np.ndarray:
    """Reads a picture file as (H, W, 3) uint8 RGB, its first frame if it has several.

    Grey, palette and CMYK pictures become RGB, and transparent ones are put on white. Pictures of
    16 bits are scaled by the 8, 10, 12, 14 or 16 bits that their brightest pixel needs, with a
    warning unless these are 16. A warning says that there are more frames. Colour profiles are not
    applied. JPEGs are decoded as libjpeg does by default, so the pixels equal OpenCV's. Training
    reads the same pixels.

    Args:
        path: a file in any format that Pillow reads.
        apply_exif: turn the picture as its EXIF orientation says. COCO's annotations ignore the
            orientation, so its evaluation needs False.
        part: first byte and number of bytes of the picture in a file of several, such as a TAR.

    Raises:
        OSError: there is no such file, or it may not be read.
        ValueError: the file is not a picture, is damaged, or has too many pixels.
    """
    path = Path(path)
    if os.path.isdir(path):
        raise IsADirectoryError(
            f"{path}: a folder with no pictures in it; name files, or a pattern like 'in/**/*.jpg'."
        )
    if not existing(path).stat().st_size:
        raise ValueError(f"{path}: an empty file (0 bytes); copy it again from its source.")
    try:
        file = open(path, "rb") if part is None else _cut(path, *part)  # noqa: SIM115
    except OSError as error:
        raise type(error)(f"{path}: may not be read; change its permissions.") from error
    with file:
        return decode_image(file, path, apply_exif, lambda line: LOG.warning("%s: %s.", path, line))


def decode_image(
    file: BinaryIO,
    name: object,
    apply_exif: bool = True,
    note: Callable[[str], None] = lambda line: None,
) -> np.ndarray:
    """`read_image` of an open file or stream.

    Args:
        file: the picture's file from its first byte.
        name: of the picture, for messages.
        apply_exif: as in `read_image`.
        note: receives a remark without name for each thing that `read_image` warns of.

    Raises:
        ValueError: the file is not a picture, is damaged, or has too many pixels.
    """
    try:
        with Image.open(file) as image:
            deep = depth.is_deep(image)
            image.load()
            # A TIFF is turned while it loads and has no orientation left.
            turn = TURNS.get(orientation(image)) if apply_exif else None
            _note_frames(image, note)
            if deep or image.mode.startswith("I"):
                image = depth.scaled(image, file, note)
            return pixels(image if turn is None else image.transpose(turn))
    except UnidentifiedImageError as error:
        kind = "a HEIC picture, which Pillow does not read" if _is_heic(file) else NO_PICTURE
        raise ValueError(f"{name}: {kind}; convert it to JPEG or PNG, or leave it out.") from error
    except Image.DecompressionBombError as error:
        limit = max_pixels() // 10**6
        raise ValueError(f"{name}: more than {limit} million pixels; make it smaller.") from error
    except Exception as error:  # Pillow's readers raise anything on a damaged file
        reason = one_line(error)
        raise ValueError(f"{name}: damaged or unsupported ({reason}); convert it again.") from error


def _is_heic(file):
    file.seek(4)
    return file.read(8) in [b"ftyp" + brand.encode() for brand in HEIC]


def _cut(path, start, length):
    with open(path, "rb") as file:
        file.seek(start)
        return io.BytesIO(file.read(length))


def picture_bytes(path: str | os.PathLike) -> int:
    """Bytes of the array that `read_image` will return, by the file's header; 0 if unknown."""
    try:
        with Image.open(existing(path)) as image:  # a pipe would wait for its writer
            return 3 * image.width * image.height
    except Exception:  # `read_image` says what is wrong
        return 0


def orientation(image: Image.Image) -> int:
    """The EXIF orientation of a Pillow picture, a key of `TURNS`; 1 if there is none."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a damaged EXIF block says nothing about the pixels
        return 1


def _note_frames(image, note):
    count = getattr(image, "n_frames", 1)
    if count > 1 and image.format != "MPO":
        kind = "frames" if image.format in ANIMATED else "pages"
        note(f"{count} {kind}, of which only the first is read")


def _to_rgb(image):
    if image.mode == "F":
        raise ValueError("floating-point pixels have no agreed white")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == "RGB" else image.convert("RGB")


def pixels(image: Image.Image, rows: int = 512) -> np.ndarray:
    """A Pillow picture as an RGB array, made in strips: at once it needs many times the memory."""
    width, height = image.size
    result = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height)))
        result[top : top + rows] = _to_rgb(strip)
    return result


def check_image(image: np.ndarray) -> np.ndarray:
    """The image as an array; raises ValueError unless it is (H, W, 3) uint8 and not empty."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(
            "`image` must be (height, width, 3) uint8 RGB. "
            f"Received: shape={image.shape}, dtype={image.dtype}. "
            "hrnet_tf.read_image reads any file to that."
        )
    return image
