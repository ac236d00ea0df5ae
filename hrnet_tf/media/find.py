"""Finds the files that the arguments of a command name."""

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

VIDEOS = (".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg")
VIDEOS += (".mts", ".ogv", ".ts", ".webm", ".wmv")

PICTURES = (".avif", ".bmp", ".gif", ".heic", ".heif", ".jpeg", ".jpg", ".png", ".tif", ".tiff")
PICTURES += (".webp",)

HEIC = ("heic", "heix", "heim", "heis", "mif1")  # brands of phones' pictures; FFmpeg plays them

ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")  # formats whose frames follow each other in time

COVER = 0x0400  # FFmpeg's AV_DISPOSITION_ATTACHED_PIC
STILLS = ("image2", "tty")  # FFmpeg's formats that take single pictures, or any text, for videos


def find_images(inputs: Iterable[str | os.PathLike]) -> list[Path]:
    """Expands files, folders and patterns to files, in the order given and each one once.

    A folder stands for the files directly in it, sorted, with any suffix: `read_image` reports the
    files that are not pictures. Only hidden files and `.json` files, which describe pictures, are
    skipped. `**` in a pattern enters subfolders. An input that cannot be expanded is returned
    unchanged; reading it raises an error that says why.

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
    if os.path.isdir(entry):  # False, too, for names that are too long
        paths = entry.iterdir() if os.access(entry, os.R_OK | os.X_OK) else ()
    elif glob.has_magic(str(entry)) and not os.path.exists(entry):
        paths = map(Path, glob.glob(str(entry), recursive=True))
    else:
        return [entry]
    kept = (p for p in paths if not p.name.startswith(".") and p.suffix.lower() != ".json")
    # Subfolders are not meant, unless they are called like pictures; links that lead nowhere are.
    called = (*PICTURES, *VIDEOS)
    return sorted(p for p in kept if not p.is_dir() or p.suffix.lower() in called) or [entry]


def find_inputs(inputs: Iterable[str]) -> tuple[list[Path], list[str]]:
    """Expands inputs as `find_images` does; returns the pictures, and the videos among them.

    Addresses and numbers of cameras are videos.
    """
    inputs = list(inputs)
    streams = [each for each in inputs if is_address(each) or is_camera(each)]
    paths = find_images(each for each in inputs if each not in streams)
    videos = [str(path) for path in paths if is_video(str(path))]
    return [path for path in paths if str(path) not in videos], [*streams, *videos]


def is_video(entry: str) -> bool:
    """Whether an input is a video, the address of one, or the number of a camera.

    Files of unknown suffixes are opened to tell.
    """
    suffix = Path(entry).suffix.lower()
    if is_address(entry) or is_camera(entry) or suffix in VIDEOS:
        return True
    return suffix not in PICTURES and os.path.isfile(entry) and _plays(entry)


def is_camera(entry: str) -> bool:
    """Whether an input is the number of a camera, and no file."""
    return entry.isdecimal() and not os.path.exists(entry)


def is_animation(path: str | os.PathLike) -> bool:
    """Whether a file is a picture with frames that follow each other in time."""
    if not os.path.isfile(path):
        return False
    try:
        with Image.open(path) as image:
            return image.format in ANIMATED and getattr(image, "is_animated", False)
    except Exception:  # `read_image` says what is wrong
        return False


def is_address(entry: str) -> bool:
    """Whether an input is an address such as rtsp://…, and no file."""
    return bool(re.match(r"[a-z][a-z0-9+.-]+://", entry, re.IGNORECASE))


def _plays(path):
    """Whether a file is no picture, and has a video stream; False without PyAV."""
    try:
        with Image.open(path):
            return False
    except OSError:
        pass
    try:
        import av

        with av.open(str(path)) as container:
            name = container.format.name
            still = (
                name in STILLS
                or name.endswith("_pipe")
                or container.metadata.get("major_brand") in HEIC
            )
            return not still and any(map(is_moving, container.streams.video))
    except Exception:  # not installed, or not a video
        return False


def is_moving(stream: object) -> bool:
    """Whether a video stream of PyAV is none of the pictures on the covers of songs."""
    return not stream.disposition.value & COVER


def coco_id(path: str | os.PathLike) -> int | None:
    """The image id in a name like `000000000139.jpg`, None in another name."""
    number = re.search(r"\d{12}$", Path(path).stem)
    return int(number[0]) if number else None
