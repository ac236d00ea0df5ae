"""Parses a COCO-format annotation file, once for all functions that need it.

The format has lists `images`, `annotations` and, in most files, `categories`.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hrnet_tf.training.data.sources import ImageFile, Report, left_out, read_json, to_stderr


@dataclass(frozen=True, eq=False)
class CocoFile:
    """The unchecked content of an annotation file; its lists must not be changed.

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


def read_coco_json(annotations: str | Path) -> CocoFile:
    """Parses a file; raises ValueError if it is not JSON with images and annotations."""
    annotations = Path(annotations)
    content = read_json(annotations)
    lists = content if isinstance(content, dict) else {}
    if not all(isinstance(lists.get(key), list) for key in ("images", "annotations")):
        raise ValueError(
            "`annotations` must hold the lists `images` and `annotations`. "
            f"Received: annotations={annotations}. Detections and results have neither."
        )
    categories = content.get("categories")
    categories = categories if isinstance(categories, list) else []
    return CocoFile(annotations, content["images"], content["annotations"], categories)


def image_files(
    coco: CocoFile, folder: Path, report: Report = to_stderr
) -> tuple[dict[int, ImageFile], set[int]]:
    """The images of a file, annotated or not.

    Args:
        coco: the parsed file.
        folder: the folder that its file names are relative to.
        report: receives a line for each image that cannot be used.

    Returns:
        The usable images by id, and the ids of all images.
    """
    images, known = {}, set()
    for position, entry in enumerate(coco.images):
        try:
            known.add(entry["id"])
            path = folder / entry["file_name"]
            size = (int(entry["height"]), int(entry["width"]))
            if min(size) < 1:
                raise ValueError(f"its size is {size}")
            if not path.is_file():
                raise ValueError("the file is not there")
            images[entry["id"]] = ImageFile(entry["id"], path, size)
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            name = entry.get("file_name") if isinstance(entry, dict) else None
            report(left_out(folder, f"image {name or f'number {position + 1}'}", error))
    return images, known
