"""Finds the picture that an annotation file is about."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from PIL import Image

from hrnet_tf.media.find import PICTURES
from hrnet_tf.media.images import orientation

SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that exchange width and height


def pictures_in(folder: Path) -> dict[str, str]:
    """The pictures in a folder and its subfolders: name without suffix -> name, in their order.

    Names are relative to the folder, with slashes. Of two that differ in the suffix alone, the
    first counts.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICTURES and path.is_file():
            name = path.relative_to(folder).as_posix()
            found.setdefault(str(PurePosixPath(name).with_suffix("")), name)
    return found


def upright_sizes(folder: Path, names: Iterable[str]) -> dict[str, tuple[int, int] | str]:
    """(height, width) of each picture as viewers show it, or a text that says why there is none."""
    names = list(names)
    with ThreadPoolExecutor() as pool:
        sizes = pool.map(lambda name: _size(folder / name), names)
    return dict(zip(names, sizes, strict=True))


def _size(path):
    try:
        with Image.open(path) as picture:
            size = picture.size[::-1]
            return size[::-1] if orientation(picture) in SIDEWAYS else size
    except Exception as error:  # Pillow raises many types on damaged files
        return f"it cannot be read ({' '.join(str(error).split())})"
