"""Reads MPII's annotations as the repository of Sun et al. CVPR 2019 distributes them.

`train.json`, `valid.json` and others are lists of dicts with `image`, `center`, `scale` (person
height / 200), `joints` and `joints_vis`; pixels count from 1, as in MATLAB.
"""

from pathlib import Path

import numpy as np

from hrnet_tf.labels.keypoint_sets import MPII
from hrnet_tf.training.data.json_files import read_json
from hrnet_tf.training.data.sources import (
    Report,
    check_paths,
    left_out,
    measure,
    to_stderr,
)
from hrnet_tf.training.pose.readers.coco import Record

PERSON = 200  # pixels at scale 1
DROP = 15  # pixels at scale 1 by which `center` is lowered; otherwise legs would be cut off


def read_mpii(
    annotations: str | Path, images_dir: str | Path, report: Report = to_stderr
) -> list[Record]:
    """Reads every person of an MPII file, those without labelled joints included.

    A record's box is the square that gives the original's centre and scale with padding 1.25
    (`lib/dataset/mpii.py`). Its id is its place in the file from 0, which is also its column in
    `gt_valid.mat`. Sizes are those of the image files. The file does not mark hidden joints.

    Args:
        annotations: the annotation file.
        images_dir: the folder of its images.
        report: receives a line for each person who cannot be used and is left out.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: the file is not MPII's JSON, or it has no joints.
    """
    annotations, folder = check_paths(annotations, images_dir)
    content = read_json(annotations, report)
    if not isinstance(content, list) or not any("center" in each for each in _dicts(content)):
        raise ValueError(
            "`annotations` must be a list of people with `center` and `scale`, as in MPII's "
            f"train.json. Received: annotations={annotations}. COCO files have another data_format."
        )
    if not any("joints" in each for each in _dicts(content)):
        raise ValueError(
            "`annotations` must have `joints`; MPII's test data have none. "
            f"Received: annotations={annotations}. Use train.json, valid.json or trainval.json."
        )
    names = [each.get("image") for each in _dicts(content)]
    images = measure(folder, [name for name in names if isinstance(name, str)], report)
    records = []
    for place, entry in enumerate(content):
        try:
            record = _record(place, entry, images)
        except (KeyError, TypeError, ValueError) as error:
            report(left_out(annotations, f"entry {place}", error))
        else:
            records += [record] if record else []
    return records


def _dicts(content):
    return (each for each in content if isinstance(each, dict))


def _record(place, entry, images):
    """Checks an entry and makes its record; None if its image cannot be used."""
    if not isinstance(entry["image"], str):
        raise ValueError(f"its image is {entry['image']!r}, not a name")
    center = np.array(entry["center"], np.float64)
    scale = float(entry["scale"])
    joints = np.array(entry["joints"], np.float64)
    labelled = np.array(entry["joints_vis"], np.float64) > 0
    count = len(MPII.names)
    if joints.shape != (count, 2) or labelled.shape != (count,):
        raise ValueError(
            f"it has {len(joints)} joints and {len(labelled)} `joints_vis`, not {count}"
        )
    if center.shape != (2,) or not np.isfinite(center).all() or center[0] == -1:
        raise ValueError(f"its center is {entry['center']}")
    side = PERSON * scale
    if not 0 < side < np.inf:
        raise ValueError(f"its scale is {scale}")
    if not np.isfinite(joints[labelled]).all():
        raise ValueError("`joints` has a value that is not a number")
    if entry["image"] not in images:  # has been reported already
        return None
    corner = center + np.array([0, DROP * scale]) - 1 - side / 2
    keypoints = np.column_stack([joints - 1, np.full(count, 2)])
    keypoints[~labelled] = 0
    box = np.array([*corner, side, side])
    return Record(place, images[entry["image"]], box, keypoints, side * side, False)
