"""Reads facial landmarks: the tables of HRNet-Facial-Landmark-Detection, and COCO-format JSON.

Both locate a face by `center` and `scale`, which is the longer side of its landmarks / 200. Numbers
are read without change, as positions with pixel centres at integers: the original adds 1 to a
landmark, but its `transform_pixel` subtracts it again. The original also truncates crops, targets
and predictions to whole pixels; this module does not.
"""

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hrnet_tf.training.data.sources import Report, check_paths, left_out, measure, to_stderr
from hrnet_tf.training.pose.readers.coco import Record, read_coco

FACE = 200  # pixels at scale 1


def read_landmarks(
    annotations: str | Path, images_dir: str | Path, report: Report = to_stderr
) -> list[Record]:
    """Reads every face of a `.csv` of the original, or of a COCO-format `.json`.

    A record's box is the square of side 200 * scale around the centre; AFLW's `box_size`, by which
    errors are divided, equals that side. If JSON lacks `center` and `scale`, they are computed from
    the landmarks by the rule of `lib/datasets/cofw.py`, which also reproduces those of 300W and
    WFLW. In tables every landmark counts as labelled, an id is the number of the row from 0, and
    sizes are those of the image files.

    Args:
        annotations: the annotation file.
        images_dir: the folder that its file names are relative to.
        report: receives a line for each face that cannot be used and is left out.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: the file has neither format.
    """
    annotations, folder = check_paths(annotations, images_dir)
    if annotations.suffix.lower() == ".json":
        return read_coco(annotations, folder, report, box=face_box)
    rows, width = _rows(annotations)
    images = measure(folder, [row[0] for _, row in rows if row[0]], report)
    records = []
    for number, (line, row) in enumerate(rows):
        try:
            record = _record(number, row, width, images)
        except ValueError as error:
            report(left_out(annotations, f"line {line}", error))
        else:
            records += [record] if record else []
    return records


def face_box(annotation: Mapping, keypoints: np.ndarray) -> np.ndarray:
    """The box (4,) of a face, from `center` and `scale`, or else around its landmarks."""
    if "center" in annotation and "scale" in annotation:
        return _square(np.array(annotation["center"], np.float64), float(annotation["scale"]))
    points = keypoints[keypoints[:, 2] > 0, :2]
    if not len(points):
        raise ValueError("it has neither center and scale nor landmarks")
    low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
    return _square((low + high) / 2, (high - low).max() / FACE)


def _square(center, scale):
    """The box (4,) of a face with this centre and scale."""
    if center.shape != (2,) or not np.isfinite(center).all():
        raise ValueError(f"its center is {center.tolist()}, not two numbers")
    side = FACE * float(scale)
    if not 0 < side < np.inf:
        raise ValueError(f"its scale is {scale}")
    return np.array([*(center - side / 2), side, side])


def _rows(annotations):
    """(line, cells) of a table without its heading, and the most frequent number of cells."""
    with annotations.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        try:
            rows = [(reader.line_num, row) for row in reader if row]
        except (csv.Error, ValueError) as error:
            raise ValueError(f"`annotations` must be a table ({error}): {annotations}.") from None
    if rows and not _is_number(rows[0][1][1:2]):
        del rows[0]
    widths = Counter(len(row) for _, row in rows).most_common(1)
    if not widths or widths[0][0] < 6:
        raise ValueError(
            "`annotations` must be a table of image, scale, center_w, center_h and the x and y of "
            "each landmark, separated by commas, or a .json file. "
            f"Received: annotations={annotations}."
        )
    return rows, widths[0][0]


def _is_number(cells):
    try:
        return bool([float(cell) for cell in cells])
    except ValueError:
        return False


def _record(number, row, width, images):
    """Checks a row and makes its record; None if its image cannot be used."""
    if len(row) != width:
        raise ValueError(f"it has {len(row)} columns, not {width}")
    if not row[0]:
        raise ValueError("it names no image")
    values = np.array(row[1:], np.float64)
    # AFLW's tables have a further column `box_size` after the scale.
    first = 1 + len(row) % 2
    box = _square(values[first : first + 2], values[0])
    points = values[first + 2 :].reshape(-1, 2)
    if not np.isfinite(points).all():
        raise ValueError("a landmark is not a number")
    if row[0] not in images:  # has been reported already
        return None
    keypoints = np.column_stack([points, np.full(len(points), 2)])
    return Record(number, images[row[0]], box, keypoints, box[2] * box[3], False)
