"""Finds the files that the arguments of a command name."""

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

VIDEOS = (".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg")

PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

STILLS = ("image2", "tty")  # FFmpeg's formats that take single pictures, or any text, for videos

VIDEOS += (".mts", ".ogv", ".ts", ".webm", ".wmv")


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
    return sorted(p for p in kept if p.is_file()) or [entry]


def is_video(entry: str) -> bool:
    """Whether an input is a video, the address of one, or the number of a camera.

    Files of unknown suffixes are opened to tell.
    """
    path = Path(entry)
    suffix = path.suffix.lower()
    if is_address(entry) or suffix in VIDEOS or (entry.isdecimal() and not os.path.exists(path)):
        return True
    return suffix not in PICTURES and os.path.isfile(path) and _plays(path)


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
            return bool(container.streams.video) and container.format.name not in STILLS
    except Exception:  # not installed, or not a video
        return False


def coco_id(path: str | os.PathLike) -> int | None:
    """The image id in a name like `000000000139.jpg`, None in another name."""
    number = re.search(r"\d{12}$", Path(path).stem)
    return int(number[0]) if number else None
