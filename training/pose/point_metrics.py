"""Keypoint metrics by distance: PCKh of MPII, NME of faces, PCK, AUC and EPE of hands.

All take `errors` (N, K): the distance of each of K predicted keypoints of N people from its true
position, in the unit that the metric needs. Errors are NaN where the keypoint is not labelled and
infinite where nothing was predicted. Shares count infinite errors as misses; means ignore them. A
number is -1 if no keypoint counts for it, as in pycocotools. Shares are fractions, not percent.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from hrnet_tf.labels.keypoint_sets import MPII
from hrnet_tf.labels.keypoints import KeypointSet

Table = dict[str, dict[str, float]]  # keypoint -> column -> number

_GROUPS = {
    "Head": ("head_top",),
    "Shoulder": ("left_shoulder", "right_shoulder"),
    "Elbow": ("left_elbow", "right_elbow"),
    "Wrist": ("left_wrist", "right_wrist"),
    "Hip": ("left_hip", "right_hip"),
    "Knee": ("left_knee", "right_knee"),
    "Ankle": ("left_ankle", "right_ankle"),
}
_SCORED = [i for i, name in enumerate(MPII.names) if name not in ("pelvis", "thorax")]

_OUTER_EYE_CORNERS = {"300w": (36, 45), "wflw": (60, 72), "cofw": (8, 9)}


def errors(
    keypoints: np.ndarray, truth: np.ndarray, labelled: np.ndarray, sizes: np.ndarray | float = 1.0
) -> np.ndarray:
    """Distances between predicted and true keypoints, in units of `sizes`.

    Args:
        keypoints: (N, K, 2) predicted positions, NaN where there is no prediction.
        truth: (N, K, 2) true positions.
        labelled: (N, K), true where `truth` is known.
        sizes: (N,) the size of each person, in the unit of the points.

    Returns:
        (N, K) errors, NaN where not labelled, infinite where not predicted.
    """
    offsets = np.asarray(keypoints, "float64") - np.asarray(truth, "float64")
    sizes = np.broadcast_to(np.asarray(sizes, "float64"), len(offsets))
    distances = np.linalg.norm(offsets, axis=-1) / sizes[:, None]
    return np.where(labelled, np.where(np.isnan(distances), np.inf, distances), np.nan)


def read_mpii_truth(path: str | Path) -> dict[str, np.ndarray]:
    """Reads `gt_valid.mat` of the original repository, OpenMMLab's `mpii_gt_val.mat`.

    Returns:
        Positions `truth` (N, 16, 2), where pixels count from 1, `labelled` (N, 16) and head sizes
        `sizes` (N,): 0.6 times the diagonal of the head box.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file lacks positions, head boxes or missing flags of 16 joints.
    """
    from scipy.io import loadmat

    if not Path(path).is_file():
        raise FileNotFoundError(
            f"`ground_truth` must be a file. Received: ground_truth={path}. Check the path."
        )
    with open(path, "rb") as file:
        try:
            content = loadmat(file)
            truth = np.moveaxis(content["pos_gt_src"].astype("float64"), -1, 0)
            boxes = content["headboxes_src"].astype("float64")
            labelled = content["jnt_missing"].T == 0
            if truth.shape[1:] != (16, 2) or boxes.shape != (2, 2, len(truth)):
                raise ValueError(f"positions are {truth.shape}, head boxes {boxes.shape}")
        except Exception as error:  # SciPy raises many types on damaged files
            raise ValueError(
                f"`ground_truth` must be gt_valid.mat of MPII ({error}). "
                f"Received: ground_truth={path}."
            ) from None
    return {"truth": truth, "labelled": labelled, "sizes": head_sizes(boxes)}


def head_sizes(boxes: np.ndarray) -> np.ndarray:
    """Head sizes (N,) of MPII's head boxes (2, 2, N): corner, x and y, person."""
    return 0.6 * np.linalg.norm(np.subtract(boxes[1], boxes[0], dtype="float64"), axis=0)


def pckh(errors: np.ndarray) -> dict[str, float]:
    """MPII's numbers as `lib/dataset/mpii.py` of the original repository computes them.

    PCKh is the share of joints whose error is at most half a head size; pelvis and thorax do not
    count. The original's Mean@0.1 has in fact a threshold of 0.11; OpenMMLab's has 0.1, which gives
    about three percentage points less.

    Args:
        errors: (N, 16) in head sizes, joints in MPII's order.
    """
    shares = [_share(column, 0.5) for column in errors.T]
    index = MPII.names.index
    groups = {group: [shares[index(name)] for name in names] for group, names in _GROUPS.items()}
    scored = errors[:, _SCORED]
    return {group: _mean([share for share in of if share >= 0]) for group, of in groups.items()} | {
        "Mean": _share(scored, 0.5),
        "Mean@0.1": _share(scored, 0.11),
        "Mean@0.1 (mmpose)": _share(scored, 0.1),
    }


def pckh_table(errors: np.ndarray) -> Table:
    """PCKh at 0.5 and 0.1 and the mean error in head sizes per joint; arguments as in `pckh`."""
    columns = {
        "PCKh@0.5": lambda column: _share(column, 0.5),
        "PCKh@0.1": lambda column: _share(column, 0.1),
        "error": _finite_mean,
    }
    return _table(errors, MPII.names, columns)


def face_sizes(truth: np.ndarray, boxes: np.ndarray, keypoints: KeypointSet) -> np.ndarray:
    """Sizes of faces, in pixels, by which `compute_nme` of the original face tools divides errors.

    The size is the distance of the outer eye corners for 300W, WFLW and COFW. For AFLW, in whose
    profiles an eye may be hidden, and for all other keypoints, it is the side of the box.

    Args:
        truth: (N, K, 3) x, y, and whether it is labelled.
        boxes: (N, 4) x, y, width, height.
        keypoints: the keypoint set of `truth`.

    Returns:
        (N,) sizes, 0 where a needed eye corner is not labelled.
    """
    if keypoints.name in _OUTER_EYE_CORNERS:
        first, second = truth[:, _OUTER_EYE_CORNERS[keypoints.name]].swapaxes(0, 1)
        distances = np.linalg.norm(first[:, :2] - second[:, :2], axis=-1)
        return distances * ((first[:, 2] > 0) & (second[:, 2] > 0))
    return np.asarray(boxes)[:, 2]


def nme(errors: np.ndarray) -> dict[str, float]:
    """Normalised mean error of faces, the shares of faces above 0.08 and 0.10, and the AUC to 0.10.

    The AUC (Wu et al. CVPR 2018) is the area below the curve of the share of faces within an error
    of 0 to 0.10, divided by 0.10. It is computed exactly, not by steps.

    Args:
        errors: (N, K) in units of `face_sizes`.
    """
    faces = np.array([np.nanmean(row) for row in errors if not np.isnan(row).all()])
    return {
        "NME": _finite_mean(faces),
        "FR@0.08": _mean(faces > 0.08),
        "FR@0.10": _mean(faces > 0.10),
        "AUC@0.10": _mean(np.maximum(0, 1 - faces / 0.10)),
    }


def nme_table(errors: np.ndarray, names: Sequence[str]) -> Table:
    """NME per landmark, and the share of faces in which its error is above 0.10."""
    columns = {"NME": _finite_mean, "off": lambda column: _mean(column > 0.10)}
    return _table(errors, names, columns)


def pck(errors: np.ndarray, sizes: np.ndarray, threshold: float = 0.2) -> dict[str, float]:
    """PCK, AUC and EPE as OpenMMLab computes them for hands (`keypoint_eval.py` of mmpose).

    PCK is the mean over keypoints of the share whose error is below `threshold` times the size, AUC
    the mean PCK at 0, 1.5, … 28.5 pixels, EPE the mean error in pixels.

    Args:
        errors: (N, K) in image pixels.
        sizes: (N,) in image pixels: the longer side of the box, or a torso.
        threshold: a share of the size.
    """
    relative = errors / np.asarray(sizes, "float64")[:, None]
    steps = np.arange(20) * 1.5
    return {
        f"PCK@{threshold:g}": _mean_share_below(relative, threshold),
        "AUC": float(np.mean([_mean_share_below(errors, step) for step in steps])),
        "EPE": _finite_mean(errors[~np.isnan(errors)]),
    }


def pck_table(
    errors: np.ndarray, sizes: np.ndarray, names: Sequence[str], threshold: float = 0.2
) -> Table:
    """PCK and EPE per keypoint; arguments as in `pck`."""
    relative = errors / np.asarray(sizes, "float64")[:, None]
    within = {f"PCK@{threshold:g}": lambda column: _mean(column < threshold)}
    shares, means = _table(relative, names, within), _table(errors, names, {"EPE": _finite_mean})
    return {name: shares[name] | means[name] for name in names}


def _table(errors, names, columns: Mapping[str, Callable[[np.ndarray], float]]) -> Table:
    """For each keypoint, the number of labelled ones and, if there are any, the other columns."""
    rows = [column[~np.isnan(column)] for column in errors.T]
    return {
        name: {"labelled": len(row)} | {c: f(row) for c, f in columns.items() if len(row)}
        for name, row in zip(names, rows, strict=True)
    }


def _mean(values) -> float:
    return float(np.mean(values)) if len(values) else -1.0


def _finite_mean(values) -> float:
    return _mean(values[np.isfinite(values)])


def _share(errors, threshold) -> float:
    return _mean(errors[~np.isnan(errors)] <= threshold)


def _mean_share_below(errors, threshold) -> float:
    columns = [column[~np.isnan(column)] for column in errors.T]
    return _mean([np.mean(column < threshold) for column in columns if len(column)])
