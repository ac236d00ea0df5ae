"""Parses a COCO-format annotation file, once for all functions that need it.

The format has lists `images`, `annotations` and, in most files, `categories`. Exporters write it in
many ways: ids in quotes, file names of Windows or with the folders of another machine, no sizes.
Whatever has one meaning is read so; whatever has two is reported.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from hrnet_tf.training.data.coco_fields import identity, image_size
from hrnet_tf.training.data.json_files import read_json
from hrnet_tf.training.data.sources import (
    ImageFile,
    Note,
    Report,
    left_out,
    size_without_turn,
    to_stderr,
)

IDS = {"images": ("id",), "annotations": ("id", "image_id", "category_id"), "categories": ("id",)}

# Fields of an entry -> the program that writes it so.
FORMS = {
    frozenset({"data", "annotations"}): "Label Studio",
    frozenset({"shapes", "imagePath"}): "labelme",
    frozenset({"_via_img_metadata"}): "VIA",
    frozenset({"skeletons", "videos"}): "SLEAP",
    frozenset({"items", "categories"}): "CVAT's Datumaro format",
}


@dataclass(frozen=True, eq=False)
class CocoFile:
    """The content of an annotation file; its lists must not be changed.

    Ids are integers where their text is a whole number ("5", 5.0), otherwise as in the file, so
    that they can be compared. All else is unchecked; entries need not be dicts.

    Attributes:
        path: the file.
        images: entries, usually with `id`, `file_name`, `height` and `width`.
        annotations: entries with `id`, `image_id`, `bbox`, ….
        categories: entries with `id` and `name`; empty where the file has no such list.
    """

    path: Path
    images: list
    annotations: list
    categories: list

    def double_ids(self) -> Iterator[str]:
        """Yields a sentence for each id that more than one image or annotation has."""
        for kind, entries in (("images", self.images), ("annotations", self.annotations)):
            ids = [each["id"] for each in entries if isinstance(each, dict) and "id" in each]
            for each, count in Counter(map(repr, ids)).items():
                if count > 1:
                    yield f"{count} {kind} have the id {each}"


class Listed(NamedTuple):
    """What a file says of an image.

    Attributes:
        name: its `file_name`; None if it has none.
        size: height and width; None if the file lacks them.
    """

    name: str | None
    size: tuple[int, int] | None


def read_coco_json(annotations: str | Path, report: Report = to_stderr) -> CocoFile:
    """Parses a file.

    Args:
        annotations: the file.
        report: receives a line if the text of the file has more than its content.

    Raises:
        ValueError: it is not JSON with images and annotations.
    """
    return coco_file(read_json(Path(annotations), report), Path(annotations))


def coco_file(content: object, path: Path) -> CocoFile:
    """A parsed file's content, whose ids are made comparable in place.

    Raises:
        ValueError: it has no lists `images` and `annotations`.
    """
    fields = content if isinstance(content, Mapping) else {}
    lacking = [key for key in ("images", "annotations") if not isinstance(fields.get(key), list)]
    if lacking:
        raise ValueError(
            "`annotations` must hold the lists `images` and `annotations`. "
            f"Received: annotations={path}, without a list {' and '.join(map(repr, lacking))}. "
            f"{_form(content)}"
        )
    categories = fields.get("categories")
    categories = categories if isinstance(categories, list) else []
    found = CocoFile(path, fields["images"], fields["annotations"], categories)
    for name, names in IDS.items():
        _compare_ids(getattr(found, name), names)
    return found


def _form(content):
    """What a file without COCO's lists seems to be, by the marks of other programs."""
    first = content[0] if isinstance(content, list) and content else content
    first = first if isinstance(first, Mapping) else {}
    for marks, program in FORMS.items():
        if marks <= first.keys():
            return f"It looks like a file of {program}; export it in COCO's format."
    return "Detections and results have neither."


def listed_images(
    coco: CocoFile, report: Report = to_stderr, named: bool = True
) -> tuple[dict[int, Listed], set[int]]:
    """The images that a file lists, without a look at the pictures.

    Args:
        coco: the parsed file.
        report: receives a line for each image that cannot be used.
        named: whether images need a file name.

    Returns:
        The images by id, and the ids of all images. Of two different ones with the same id nothing
        tells which is meant, so they are left out.
    """
    found, first, known = {}, {}, set()
    for position, entry in enumerate(coco.images):
        try:
            key = entry["id"]
            if key is None:
                raise ValueError("its `id` is null")
            known.add(key)
            image = Listed(_name(entry, named), image_size(entry))
            pairs = zip(first.setdefault(key, image), image, strict=True)
            if any(None not in pair and pair[0] != pair[1] for pair in pairs):
                found.pop(key, None)
                raise ValueError(f"image {first[key].name} has the same `id`, {key}")
            found.setdefault(key, image)
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            name = entry.get("file_name") if isinstance(entry, dict) else None
            what = f"image {name or f'number {position + 1}'}"
            report(left_out(coco.path, what, error))
    return found, known


def image_files(
    coco: CocoFile, folder: Path, report: Report = to_stderr
) -> tuple[dict[int, ImageFile], set[int]]:
    """The images of a file, annotated or not.

    A file name may have the separators of Windows, be an address (Label Studio, Roboflow), differ
    in case, or have folders that are not here, such as those of another machine: a file that is
    found without them is taken if no other image means it, too. Images without `width` and `height`
    are measured.

    Args:
        coco: the parsed file.
        folder: the folder that its file names are relative to.
        report: receives a line for each image that cannot be used.

    Returns:
        The usable images by id, and the ids of all images.
    """
    listed, known = listed_images(coco, report)
    found, listings = {}, {}
    for key, (name, size) in listed.items():
        tail = _find(folder, name, listings)
        if tail is None:
            missing = ValueError("its `file_name` is not there")
            report(left_out(folder, f"image {name}", missing))
        else:
            found[key] = (name, tail, size)
    _drop_ambiguous(found, folder, report)
    return _measured(found, folder, report), known


def _compare_ids(entries, fields):
    """Makes ids that are whole numbers in another form integers."""
    for entry in entries:
        if type(entry) is dict:
            for field in fields:
                value = entry.get(field)
                if type(value) is not int and value is not None:
                    entry[field] = identity(value)


def _name(entry, needed):
    """The `file_name` of an entry; None if it has none and needs none."""
    name = entry["file_name"] if needed else entry.get("file_name")
    if isinstance(name, str) and name:
        return name
    if needed:
        raise ValueError(f"`file_name` must be a name, and is {name!r:.80}")
    return None


def _find(folder, name, listings):
    """The end of a file name under which its file is in the folder; None if it is not there.

    `listings` keeps the names in the folders that have been looked into.
    """
    if os.path.isfile(os.path.join(folder, name)):
        return name
    path, _, query = name.partition("?")
    for form in dict.fromkeys([name, path, unquote(path), unquote(query.rpartition("=")[2])]):
        parts = [part for part in form.replace("\\", "/").split("/") if part]
        for start in range(len(parts)):
            tail = "/".join(parts[start:])
            if os.path.isfile(os.path.join(folder, tail)):
                return tail
    return _in_other_case(folder, unquote(path).replace("\\", "/"), listings)


def _in_other_case(folder, name, listings):
    """The only file of a folder whose name differs in upper and lower case alone, or None."""
    if folder not in listings:
        listings[folder] = names = {}
        for each in os.listdir(folder):
            names.setdefault(each.casefold(), []).append(each)
    found = listings[folder].get(name.rpartition("/")[2].casefold(), [])
    return found[0] if len(found) == 1 and os.path.isfile(os.path.join(folder, found[0])) else None


def _drop_ambiguous(found, folder, report):
    """Removes images that share the end of their names under which a file was found."""
    plain = {key: name.replace("\\", "/") for key, (name, _, _) in found.items()}
    cut = [key for key, (_, tail, _) in found.items() if tail not in (plain[key], found[key][0])]
    meant = {}
    for key, (_, tail, _) in found.items() if cut else ():
        meant.setdefault(tail, set()).add(plain[key])
    for key in cut:
        name, tail, _ = found[key]
        if len(meant[tail]) > 1:
            reason = (
                f"`file_name` without its folders, {tail}, is that of {len(meant[tail])} images"
            )
            report(left_out(folder, f"image {name}", ValueError(reason)))
            del found[key]
    cut = [found[key] for key in cut if key in found]
    if cut:
        name, tail, _ = cut[0]
        report(
            Note(
                f"{folder}: {len(cut)} images are found by the end of their `file_name` only, "
                f"the first as {tail}, which the annotations call {name}."
            )
        )


def _measured(found, folder, report):
    """The images; sizes that the annotations lack are those of the files."""
    lacking = [key for key, (_, _, size) in found.items() if not size]
    with ThreadPoolExecutor() as pool:
        sizes = pool.map(lambda key: size_without_turn(folder / found[key][1]), lacking)
        sizes = dict(zip(lacking, sizes, strict=True))
    images = {}
    for key, (name, tail, size) in found.items():
        size = size or sizes[key]
        if isinstance(size, str):
            report(left_out(folder, f"image {name}", ValueError(size)))
        else:
            images[key] = ImageFile(key, folder / tail, size)
    return images
