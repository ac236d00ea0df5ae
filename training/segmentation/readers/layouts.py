"""Which mask belongs to which picture: two folders with equal names, or lists of both."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hrnet_tf.training.data.sources import Report

SHOWN = 3  # names in a message


@dataclass(frozen=True)
class Layout:
    """How a data set names its files.

    Attributes:
        image_end, mask_end: the ends of the file names after what both share; "" is any suffix.
        image_folders, mask_folders: folders below that of the pictures in which the entries of a
            list are looked for. The first that has the file counts.
    """

    image_end: str = ""
    mask_end: str = ""
    image_folders: tuple[str, ...] = ("",)
    mask_folders: tuple[str, ...] = ("",)


def _below(name: str) -> dict:
    """Lists of the original start at `data`, or at the data set's folder in it."""
    return {"image_folders": ("", name), "mask_folders": ("", name)}


_CITY = {"image_end": "_leftImg8bit.png", **_below("cityscapes")}
_CONTEXT = Layout(
    image_folders=("JPEGImages", "", "pascal_ctx"),
    mask_folders=("SegmentationClassContext", "", "pascal_ctx"),
)
_STUFF = _below("cocostuff")
LAYOUTS = {
    "masks": Layout(),
    "cityscapes": Layout(mask_end="_gtFine_labelIds.png", **_CITY),
    "cityscapes_train_ids": Layout(mask_end="_gtFine_labelTrainIds.png", **_CITY),
    "pascal_context": _CONTEXT,
    "pascal_context_60": _CONTEXT,
    "lip": Layout(
        image_folders=("", "TrainVal_images", "lip/TrainVal_images"),
        mask_folders=("", "TrainVal_parsing_annotations", "lip/TrainVal_parsing_annotations"),
    ),
    "ade20k": Layout(**_below("ade20k")),
    "coco_stuff": Layout(**_STUFF),
    "coco_stuff_train_ids": Layout(mask_end="_labelTrainIds.png", **_STUFF),
    "voc": Layout(
        image_folders=("JPEGImages", ""),
        mask_folders=("SegmentationClass", "SegmentationClassAug", ""),
    ),
}


def pairs(labels: str, annotations: Path, images: Path, report: Report) -> list[tuple[Path, Path]]:
    """(picture, mask) of a folder of masks or of a list, in their order.

    Args:
        labels: a name of `LAYOUTS`.
        annotations: a folder of masks, which may have subfolders; or a text file with a picture
            and its mask on each line, between them a tab or a space. Further columns are ignored.
            A line with one word is the name of both, without suffix.
        images: the folder of the pictures, with the same subfolders; for a list, the folder that
            its entries start from.
        report: receives a line for each picture or mask without a partner.

    Raises:
        ValueError: no picture has a mask.
    """
    layout = LAYOUTS[labels]
    if annotations.is_dir():
        found = _of_folders(layout, annotations, images, report)
    else:
        found = list(_of_list(layout, annotations, images, report))
    if not found:
        raise ValueError(
            f"{annotations} must name masks of pictures in {images}. Received: no such pair. "
            f"Masks end in {layout.mask_end or 'any suffix'}, pictures in "
            f"{layout.image_end or 'any suffix'}; what is before it must be equal."
        )
    return found


def _of_folders(layout, annotations, images, report):
    masks = _by_stem(annotations, layout.mask_end, report)
    pictures = _by_stem(images, layout.image_end, report)
    both = sorted(masks.keys() & pictures.keys())
    for these, others, what in ((masks, pictures, "picture"), (pictures, masks, "mask")):
        for stem in sorted(these.keys() - others.keys()) if both else ():
            report(f"{these[stem]} is left out: it has no {what} of its name.")
    return [(pictures[stem], masks[stem]) for stem in both]


def _by_stem(folder, end, report):
    """What identifies a file below a folder -> its path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.startswith(".") or not path.name.endswith(end):
            continue
        name = path.name.removesuffix(end) if end else path.stem
        stem = (path.parent.relative_to(folder) / name).as_posix()
        if stem in found:
            report(f"{path} is left out: {found[stem].name} has the same name.")
        else:
            found[stem] = path
    return found


def _of_list(layout, path, images, report) -> Iterator[tuple[Path, Path]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise ValueError(
            f"{path}: a list must be a text with a picture and its mask a line."
        ) from None
    for number, line in enumerate(lines, 1):
        words = line.split("\t") if "\t" in line else line.split()
        if not words:
            continue
        name = words[0]
        entries = words[:2] if len(words) > 1 else (f"{name}.jpg", f"{name}.png")
        places = layout.image_folders, layout.mask_folders
        files = [_first(images, *each) for each in zip(places, entries, strict=True)]
        if missing := [entry for entry, file in zip(entries, files, strict=True) if not file]:
            report(f"{path}: line {number} is left out: {missing[0]} is not below {images}.")
        else:
            yield tuple(files)


def _first(root, folders, entry):
    """The file of an entry in the first folder that has it."""
    entry = entry.replace("\\", "/").lstrip("/")
    places = (root / folder / entry for folder in folders)
    return next((place for place in places if place.is_file()), None)
