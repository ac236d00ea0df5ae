"""Finds the files that the arguments of a command name."""

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path

VIDEOS = (".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg")

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
    if entry.is_dir():
        paths = entry.iterdir() if os.access(entry, os.R_OK | os.X_OK) else ()
    elif glob.has_magic(str(entry)) and not entry.exists():
        paths = map(Path, glob.glob(str(entry), recursive=True))
    else:
        return [entry]
    kept = (p for p in paths if not p.name.startswith(".") and p.suffix.lower() != ".json")
    return sorted(p for p in kept if p.is_file()) or [entry]


def is_video(entry: str) -> bool:
    """Whether an input is a video, by its suffix, or the number of a camera."""
    path = Path(entry)
    return path.suffix.lower() in VIDEOS or (entry.isdecimal() and not path.exists())


def coco_id(path: str | os.PathLike) -> int | None:
    """The image id in a name like `000000000139.jpg`, None in another name."""
    number = re.search(r"\d{12}$", Path(path).stem)
    return int(number[0]) if number else None
