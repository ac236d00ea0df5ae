"""Annotated objects in the formats of people's tools, each read as a COCO file."""

from pathlib import Path

from hrnet_tf.training.data.coco_json import CocoFile, read_coco_json
from hrnet_tf.training.data.sources import Report, check_paths, to_stderr
from hrnet_tf.training.detection.voc import read_voc
from hrnet_tf.training.detection.yolo import read_yolo


def read_annotations(
    annotations: str | Path, images: str | Path, report: Report = to_stderr
) -> tuple[CocoFile, Path]:
    """The annotated objects, and the folder of their images.

    Args:
        annotations: COCO's JSON file, a folder with files of PASCAL VOC (`.xml`) or YOLO (`.txt`),
            or a list of names as in VOC's `ImageSets/Main`, whose files lie in `Annotations`.
        images: the folder of the images.
        report: receives a line for whatever cannot be read.

    Raises:
        OSError: there is no such file or folder.
        ValueError: it has none of these formats, or nothing in it can be read.
    """
    place, folder = Path(annotations), Path(images)
    if not place.is_dir():
        check_paths(annotations, images)
        if place.suffix.lower() == ".txt":
            return read_voc(_listed(place), place, folder, report), folder
        return read_coco_json(place, report), folder
    if not folder.is_dir():
        raise FileNotFoundError(
            f"`images` must be a folder. Received: images={images}. Check the path."
        )
    if files := sorted(place.rglob("*.xml")):
        return read_voc(files, place, folder, report), folder
    if any(place.rglob("*.txt")):
        return read_yolo(place, folder, report), folder
    raise ValueError(
        "`annotations` must be a file, or a folder with files of PASCAL VOC (.xml) or YOLO (.txt). "
        f"Received: annotations={annotations}, which has neither."
    )


def _listed(path):
    """The files of VOC that a list names, one in each line."""
    folder = path.parent.parent.parent / "Annotations"
    words = (line.split() for line in path.read_text("utf-8", errors="replace").splitlines())
    names = [each[0] for each in words if each]
    if not folder.is_dir() or not names:
        raise ValueError(
            "`annotations` must be COCO's JSON file, a folder, or a list of names in PASCAL VOC's "
            f"ImageSets/Main, beside its Annotations. Received: annotations={path}."
        )
    return [folder / f"{name}.xml" for name in names]
