"""What prediction reads: pictures of any kind, and the boxes of the people in them."""

import glob
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

# What EXIF asks a viewer to do before it shows the picture.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

VIDEOS = (".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg")
VIDEOS += (".mts", ".ogv", ".ts", ".webm", ".wmv")


def read_image(path: str | os.PathLike, apply_exif: bool = True) -> np.ndarray:
    """Reads a picture file as (H, W, 3) uint8 RGB, its first frame if it has several.

    Grey, palette and CMYK pictures become RGB, transparent ones lie on white, and of 16 bits per
    channel the upper 8 stay. Colour profiles are not applied. JPEGs are decoded as libjpeg does by
    default, so the pixels equal OpenCV's.

    Args:
        path: a file in any format that Pillow reads.
        apply_exif: turn the picture the way up its EXIF orientation asks for. COCO's annotations
            ignore it, so its evaluation needs False.

    Raises:
        OSError: there is no such file, or it may not be read.
        ValueError: the file is not a picture, is damaged, or has too many pixels.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(
            f"{path}: a folder with no pictures in it; name files, or a pattern like 'in/**/*.jpg'."
        )
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; check its name.")
    if not path.stat().st_size:
        raise ValueError(f"{path}: an empty file (0 bytes); copy it again from its source.")
    try:
        with Image.open(path) as image:
            image.load()
            # A TIFF is turned while it loads and has no orientation left.
            turn = TURNS.get(_orientation(image)) if apply_exif else None
            image = _to_rgb(image)
            return pixels(image if turn is None else image.transpose(turn))
    except PermissionError as error:
        raise PermissionError(f"{path}: may not be read; change its permissions.") from error
    except UnidentifiedImageError as error:
        raise ValueError(
            f"{path}: not a picture that can be read; convert it to JPEG or PNG, or leave it out."
        ) from error
    except Image.DecompressionBombError as error:
        limit = 2 * Image.MAX_IMAGE_PIXELS // 10**6
        raise ValueError(f"{path}: more than {limit} million pixels; make it smaller.") from error
    except Exception as error:  # Pillow's readers raise anything on a damaged file
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ValueError(f"{path}: damaged or unsupported ({reason}); convert it again.") from error


def picture_bytes(path: str | os.PathLike) -> int:
    """What a picture will hold once it is read, by its header; 0 if it cannot be told."""
    try:
        with Image.open(path) as image:
            return 3 * image.width * image.height
    except Exception:  # `read_image` says what is wrong
        return 0


def _orientation(image):
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # a damaged EXIF block says nothing about the pixels
        return None


def _to_rgb(image):
    if image.mode == "F":
        raise ValueError("floating-point pixels have no agreed white")
    if image.mode.startswith("I"):
        grey = np.asarray(image)
        if grey.min() < 0 or grey.max() > 0xFFFF:
            raise ValueError("pixels of more than 16 bits")
        image = Image.fromarray((grey >> 8).astype(np.uint8))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == "RGB" else image.convert("RGB")


def pixels(image: Image.Image, rows: int = 512) -> np.ndarray:
    """A picture of Pillow as an array; strip by strip, as `numpy.array` needs twice the memory."""
    width, height = image.size
    result = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        result[top : top + rows] = image.crop((0, top, width, min(top + rows, height)))
    return result


def check_image(image: np.ndarray) -> np.ndarray:
    """The image as an array; raises ValueError unless it is (H, W, 3) uint8 and not empty."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(
            "`image` must be (height, width, 3) uint8 RGB. "
            f"Received: shape={image.shape}, dtype={image.dtype}. "
            "hrnet_tf.images.read_image reads any file to that."
        )
    return image


def find_images(inputs: Iterable[str | os.PathLike]) -> list[Path]:
    """Expands files, folders and patterns to files, in the order given and each one once.

    A folder stands for the files directly in it, sorted, whatever their suffix: `read_image` tells
    what is a picture, so nothing a user put there is passed over in silence. Only hidden files and
    `.json` files, which describe pictures, are. `**` in a pattern enters subfolders. What cannot be
    expanded is returned as it is, and reading it says why.

    Raises:
        ValueError: an input is an empty string.
    """
    found = {}
    for entry in inputs:
        if not os.fspath(entry):
            raise ValueError("`inputs` must name files, folders or patterns. Received: ''.")
        for path in _expand(Path(entry)):
            found.setdefault(os.path.abspath(path), path)
    return list(found.values())


def _expand(entry):
    if entry.is_dir():
        paths = entry.iterdir() if os.access(entry, os.R_OK | os.X_OK) else ()
    elif glob.has_magic(str(entry)) and not entry.exists():
        paths = map(Path, glob.glob(str(entry), recursive=True))
    else:
        return [entry]
    kept = (p for p in paths if not p.name.startswith(".") and p.suffix.lower() != ".json")
    return sorted(p for p in kept if p.is_file()) or [entry]


def is_video(entry: str) -> bool:
    """Whether an input is a video: by its suffix, or as a camera's number."""
    path = Path(entry)
    return path.suffix.lower() in VIDEOS or (entry.isdecimal() and not path.exists())


def coco_id(path: str | os.PathLike) -> int | None:
    """The image id in a name like `000000000139.jpg`, None in another name."""
    number = re.search(r"\d{12}$", Path(path).stem)
    return int(number[0]) if number else None


@dataclass(frozen=True)
class BoxFile:
    """Boxes of a COCO json, by picture: `box_file(path, image)` gives ((N, 4), (N,)).

    A picture is found by the end of its path, by its name, or by the 12 digits of COCO's names.
    """

    path: Path
    ids: dict[str, int]  # file name -> image id
    boxes: dict[int, list[list[float]]]  # image id -> [x, y, w, h, score] each
    lists_all: bool  # the file lists the pictures without a person too

    def image_id(self, path: str | os.PathLike) -> int | None:
        """The id of a picture, or None if the file does not have it."""
        parts = Path(path).parts
        for start in range(len(parts)):
            if (name := "/".join(parts[start:])) in self.ids:
                return self.ids[name]
        number = coco_id(path)
        return number if not self.lists_all or number in self.ids.values() else None

    def __call__(self, path, image) -> tuple[np.ndarray, np.ndarray]:
        image_id = self.image_id(path)
        if image_id is None and (self.lists_all or not self.ids):
            raise ValueError(
                f"{path}: {self.path} does not list it; add it there, or predict it without boxes."
            )
        rows = np.array(self.boxes.get(image_id, []), np.float64).reshape(-1, 5)
        return rows[:, :4], rows[:, 4]


def read_boxes(path: str | os.PathLike, score_threshold: float = 0.3) -> BoxFile:
    """Reads the boxes of COCO annotations or of a detector's COCO results.

    Crowds, boxes without area and categories other than person are left out (without a list of
    categories, 1 is the person). Annotations count as detections of score 1.

    Args:
        path: a json file: an object with "images" and "annotations", or a list of detections.
        score_threshold: detections with a lower score are left out.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a json; the message names the first bad entry.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not a json file ({error}).") from error
    lists_all = isinstance(content, dict)
    try:
        entries = content["annotations"] if lists_all else list(content)
        images = content["images"] if lists_all else [e for e in entries if "file_name" in e]
        ids = _ids_by_name(images)
        people = _people(content.get("categories", []) if lists_all else [])
    except (KeyError, TypeError, AttributeError):
        raise ValueError(
            f"{path}: neither COCO annotations (an object with 'images' and 'annotations') "
            "nor COCO results (a list of detections)."
        ) from None
    boxes = {}
    for index, entry in enumerate(entries):
        try:
            image_id, box, score = _box(entry)
            wanted = entry.get("category_id", 1) in people and not entry.get("iscrowd", 0)
            if wanted and score >= score_threshold and not (box[2] <= 0 or box[3] <= 0):
                boxes.setdefault(image_id, []).append([*box, score])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ValueError(
                f"{path}: entry {index} needs an 'image_id', a 'bbox' of four numbers "
                f"[x, y, width, height] and, if any, a 'score' that is a number."
            ) from None
    return BoxFile(path, ids, boxes, lists_all)


def _ids_by_name(images):
    """Image ids by file name, and by its last part where no other image shares that."""
    names = {image["file_name"]: image.get("image_id", image.get("id")) for image in images}
    short = {}
    for name, image_id in names.items():
        short.setdefault(name.rsplit("/", 1)[-1], set()).add(image_id)
    return {name: ids.pop() for name, ids in short.items() if len(ids) == 1} | names


def _people(categories):
    named = {c["id"]: c.get("name") for c in categories} or {1: "person"}
    # AP-10K and the like have no person: then every category is what its network was trained on.
    return {i for i, name in named.items() if name == "person"} or set(named)


def _box(entry):
    x, y, w, h = map(float, entry["bbox"])
    return entry["image_id"], (x, y, w, h), float(entry.get("score", 1.0))
