"""Reads pictures and their classes: a folder for each class, or a list beside a folder or a TAR.

Folders are named by class, or by synset as ImageNet's are. A list has a picture in each line: its
file name and its class, separated by blanks or a comma. A class is a name, a synset, or a number
from 0 in the order of the classes. Such lists exist for the validation set of ImageNet: `val.txt`
of Caffe, `LOC_val_solution.csv` of Kaggle, and a file with one synset per line for all files in
order. The numbers in the development kit are in another order and are refused.
"""

import os
import re
import tarfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from hrnet_tf.labels.classes import CLASS_SETS
from hrnet_tf.names import did_you_mean
from hrnet_tf.training.classification.pictures import Pictures, read_part
from hrnet_tf.training.data.sources import Report, how_to_draw, to_stderr

SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
TAR = ".tar"
KIT = 1000  # classes of ImageNet, whose development kit counts them from 1


def class_names(images: str | Path) -> tuple[str, ...]:
    """The classes of a folder with a folder for each: their names, sorted.

    Raises:
        OSError: there is no such folder.
        ValueError: it has fewer than two folders, or these are the folders of a split.
    """
    folders = tuple(entry.name for entry in _folders(images))
    if set(folders) <= {"train", "val", "test"} and folders:
        raise ValueError(
            f"`images` must hold a folder for each class. Received: {images}, which holds "
            f"{', '.join(folders)}. Name {Path(images) / folders[0]} instead."
        )
    if len(folders) < 2:
        raise ValueError(
            "`images` must hold a folder for each of two or more classes. Received: "
            f"{images}, with {len(folders)}."
        )
    return folders


def read(
    images: str | Path, annotations: str, classes: Sequence[str], report: Report = to_stderr
) -> Pictures:
    """Pictures and their classes; those that cannot be used are left out.

    Args:
        images: the folder, or with `annotations` also a TAR.
        annotations: a list; empty if there is a folder for each class.
        classes: names of the classes, in the order of their numbers.
        report: receives a line for each picture or class that is left out.

    Raises:
        OSError: there is no such file or folder.
        ValueError: the list is of another kind, or no picture can be used.
    """
    known = numbers_of(classes)
    found = _listed(Path(images), Path(annotations), known, report) if annotations else None
    found = found or _in_folders(images, known, classes, report)
    if not len(found):
        raise ValueError(
            f"{images}: there is no picture of {len(classes)} classes that can be used."
        )
    return found


def numbers_of(classes: Sequence[str]) -> dict[str, int]:
    """Name or synset -> number of the class. Names that two classes share are left out."""
    known = {name: number for number, name in enumerate(classes) if classes.count(name) == 1}
    for each in CLASS_SETS.values():
        if each.names == tuple(classes):
            known |= {synset: number for number, synset in enumerate(each.synsets)}
    return known


def _folders(images):
    if Path(images).suffix == TAR:
        raise ValueError(
            "`images` must be a folder with a folder for each class; a TAR needs a list of its "
            f"files and their classes as `annotations`. Received: images={images}."
        )
    if not Path(images).is_dir():
        raise FileNotFoundError(
            f"`images` must be a folder. Received: images={images}. Check the path."
            f"{how_to_draw(Path(images))}"
        )
    entries = (each for each in os.scandir(images) if not each.name.startswith("."))
    return sorted((each for each in entries if each.is_dir()), key=lambda each: each.name)


def _in_folders(images, known, classes, report):
    paths, labels = [], []
    for folder in _folders(images):
        if folder.name not in known:
            meant = did_you_mean(folder.name, known, n=1)
            report(
                f"{folder.path}: left out: none of the {len(classes)} classes has this name.{meant}"
            )
            continue
        inside = _files(folder.path)
        if not inside:
            report(f"{folder.path}: an empty folder.")
        paths += inside
        labels += [known[folder.name]] * len(inside)
    names = [os.path.relpath(path, images) for path in paths]
    return _of_files(names, labels, paths, report)


def _files(folder):
    """All files in a folder and its folders, sorted, but hidden ones."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [os.path.join(place, name) for name in names if not name.startswith(".")]
    return sorted(found)


def _of_files(names, labels, paths, report):
    """The pictures in files that begin as such; reading all of ImageNet takes an hour."""
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(_size, paths, chunksize=256))
    usable = np.array([isinstance(size, int) for size in found], bool)
    for path, size in zip(paths, found, strict=True):
        if isinstance(size, str):
            report(f"{path}: left out: {size}.")
    sizes = np.array([size for size in found if isinstance(size, int)], np.int64)
    rows = {
        "name": np.array(names, object)[usable],
        "label": np.array(labels, np.int32)[usable],
        "path": np.array(paths, object)[usable],
        "start": np.zeros_like(sizes),
        "length": sizes,
        "size": sizes,
    }
    return Pictures(rows, read_part)


def _size(path):
    """The size of a file, or a text that says why it cannot be used."""
    try:
        with open(path, "rb") as file:
            start, size = file.read(8), os.fstat(file.fileno()).st_size
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if not start:
        return "it is empty"
    if not start.startswith(SIGNATURES):
        try:
            Image.open(path).close()
        except Exception:  # Pillow raises many types
            return "it is no picture"
    return size


def _listed(images, annotations, known, report):
    """The pictures of a list, in its order."""
    rows = [row for row in map(_cells, annotations.read_text("utf-8").splitlines()) if row]
    if rows and rows[0][0].lower() in ("imageid", "image", "file", "filename", "path"):
        del rows[0]
    places = _tar_places(images) if images.suffix == TAR else _folder_places(images)
    if rows and all(len(row) == 1 for row in rows):
        rows = _in_order(rows, annotations, places, images)
    names, labels, found = [], [], []
    for number, row in enumerate(rows, 1):
        label = _label(row[-1] if len(row) == 1 else row[1], known)
        place = places.get(row[0]) or places.get(Path(row[0]).name) or places.get(row[0] + ".JPEG")
        if label is None:
            report(f"{annotations}, line {number}: left out: no class is called {row[1]!r}.")
        elif place is None:
            report(f"{annotations}, line {number}: left out: {row[0]} is not in {images}.")
        else:
            names.append(row[0])
            labels.append(label)
            found.append(place)
    return _pictures(images, names, labels, found, report)


def _cells(line):
    """File name and class in a line; a class may have blanks if a tab or a comma stands before."""
    line = line.strip()
    for mark in ("\t", ","):
        if mark in line:
            name, _, rest = line.partition(mark)
            first = rest.split(",")[0].strip()
            synset = re.match(r"n\d{8}\b", first)  # Kaggle's lists go on with boxes
            return [name.strip(), synset[0] if synset else first]
    return line.rsplit(maxsplit=1)


def _in_order(rows, annotations, places, images):
    """Pairs the classes of a list without names with the files in the order of their names."""
    if all(row[0].isdecimal() for row in rows):
        raise ValueError(
            f"{annotations}: has numbers alone, as ILSVRC2012_validation_ground_truth.txt in the "
            "development kit, whose order of classes is another one. Give a list of synsets, or of "
            "file names and classes."
        )
    files = sorted(places)
    if len(files) != len(rows):
        raise ValueError(
            f"{annotations}: has {len(rows)} classes for {len(files)} files in {images}. "
            "Name the file of each class in front of it."
        )
    return [[file, row[0]] for file, row in zip(files, rows, strict=True)]


def _label(text, known):
    if text in known:
        return known[text]
    numbers = set(known.values())
    return int(text) if text.isdecimal() and int(text) in numbers else None


def _folder_places(images) -> Mapping[str, tuple]:
    if not images.is_dir():
        raise FileNotFoundError(
            f"`images` must be a folder or a .tar file. Received: images={images}. Check the path."
        )
    return {os.path.relpath(path, images): (path,) for path in _files(images)}


def _tar_places(images) -> Mapping[str, tuple]:
    """Name -> (start, length) of the files in a TAR without compression."""
    try:
        with tarfile.open(images, "r:") as archive:
            members = [each for each in archive if each.isfile()]
    except tarfile.TarError as error:
        raise ValueError(f"{images}: not a TAR file, or a compressed one ({error}).") from None
    return {Path(each.name).name: (each.offset_data, each.size) for each in members}


def _pictures(images, names, labels, found, report):
    if images.suffix != TAR:
        return _of_files(names, labels, [place[0] for place in found], report)
    rows = {"name": np.array(names, object), "label": np.array(labels, np.int32)}
    start, length = np.array(found, np.int64).reshape(-1, 2).T
    size = images.stat().st_size
    rows |= {"path": np.array([str(images)] * len(names), object), "start": start}
    rows |= {"length": length, "size": np.full(len(names), size, np.int64)}
    return Pictures(rows, read_part)
