"""Reads MPII's annotations as the repository of Sun et al. CVPR 2019 distributes them.

`train.json`, `valid.json` and others are lists of dicts with `image`, `center`, `scale` (person
height / 200), `joints` and `joints_vis`; pixels count from 1, as in MATLAB.
"""

from pathlib import Path

import numpy as np

from hrnet_tf.labels.keypoint_sets import MPII
from hrnet_tf.training.data.coco_fields import FARTHEST, number, numbers
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
    images = _images(folder, [name for name in names if isinstance(name, str)], report)
    records = []
    for place, entry in enumerate(content):
        try:
            record = _record(place, entry, images)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            report(left_out(annotations, f"entry {place}", error))
        else:
            records += [record] if record else []
    return records


def _images(folder, names, report):
    """The images by the names that the file has for them, which may be those of Windows."""
    plain = {name: name.replace("\\", "/") for name in names if not (folder / name).is_file()}
    files = measure(folder, [plain.get(name, name) for name in names], report)
    found = {name: files.get(plain.get(name, name)) for name in names}
    return {name: image for name, image in found.items() if image}


def _dicts(content):
    return (each for each in content if isinstance(each, dict))


def _record(place, entry, images):
    """Checks an entry and makes its record; None if its image cannot be used."""
    if not isinstance(entry, dict):
        raise ValueError(f"it is no object but {entry!r:.80}")
    name = entry["image"]
    if not isinstance(name, str):
        raise ValueError(f"its `image` is {name!r:.80}, not a name")
    count = len(MPII.names)
    center, scale = _numbers(entry, "center", (2,)), number(entry["scale"], "scale")
    joints = _numbers(entry, "joints", (count, 2))
    labelled = _numbers(entry, "joints_vis", (count,)) > 0
    labelled &= ~np.isnan(joints).any(axis=1)  # null is not labelled, as in COCO's files
    if not (np.abs(center) < FARTHEST).all() or center[0] == -1:
        raise ValueError(f"its `center` is {entry['center']}")
    side = PERSON * scale
    if not 0 < side < FARTHEST:
        raise ValueError(f"its `scale` is {scale}")
    if name not in images:  # has been reported already
        return None
    limit = max(images[name].size)
    if ((joints[labelled] < -limit) | (joints[labelled] > 2 * limit)).any():
        raise ValueError("`joints` has one far outside its image")
    corner = center + np.array([0, DROP * scale]) - 1 - side / 2
    keypoints = np.column_stack([joints - 1, np.full(count, 2)])
    keypoints[~labelled] = 0
    box = np.array([*corner, side, side])
    return Record(place, images[name], box, keypoints, side * side, False)


def _numbers(entry, field, shape):
    """The numbers of a field, which may be lists of lists, as an array of this shape."""
    values = entry[field]
    if isinstance(values, list) and len(shape) == 2 and all(isinstance(v, list) for v in values):
        if any(len(each) != shape[1] for each in values):
            raise ValueError(f"`{field}` must have {shape[1]} numbers for each joint")
        values = [value for each in values for value in each]
    if not isinstance(values, list):
        raise ValueError(f"`{field}` is no list: {values!r:.80}")
    if len(values) != np.prod(shape):
        raise ValueError(f"`{field}` has {len(values)} numbers, not {np.prod(shape)}")
    return numbers(values, field).reshape(shape)
