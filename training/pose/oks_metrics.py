"""Keypoint metrics: OKS, OKS non-maximum suppression, COCO's ten numbers.

OKS and its suppression follow `lib/nms/nms.py` of the original repository
(leoxiaobin/deep-high-resolution-net.pytorch); average precision is pycocotools' own. All arithmetic
is float64, as theirs.
"""

import contextlib
import copy
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pycocotools.coco
from pycocotools.cocoeval import COCOeval

from hrnet_tf.labels.keypoint_sets import COCO, COCO_WHOLEBODY
from hrnet_tf.tasks.pose.oks import similarity
from hrnet_tf.training.data.coco_json import CocoFile, coco_file, listed_images, read_coco_json
from hrnet_tf.training.data.sources import ImageFile, Report, to_stderr
from hrnet_tf.training.pose.readers.coco import Record, people_of

# Indices into COCO-WholeBody's 133 keypoints (Jin et al. ECCV 2020).
WHOLE_BODY_PARTS = {
    "body": (0, 17),
    "foot": (17, 23),
    "face": (23, 91),
    "left hand": (91, 112),
    "right hand": (112, 133),
}
COCO_NUMBERS = ("AP", "AP50", "AP75", "AP_M", "AP_L", "AR", "AR50", "AR75", "AR_M", "AR_L")


def oks(
    keypoints: np.ndarray,
    area: float,
    others: np.ndarray,
    other_areas: np.ndarray,
    sigmas: Sequence[float] = COCO.sigmas,
) -> np.ndarray:
    """Object keypoint similarity of one pose with N others.

    Args:
        keypoints: (K, 3): x, y in image pixels and score.
        area: area of the pose, in square image pixels; the original uses that of the padded box.
        others: (N, K, 3).
        other_areas: (N,).
        sigmas: K spreads.

    Returns:
        (N,) similarities in 0..1, the means over all keypoints, as in the original's evaluation.
    """
    keypoints, others = np.asarray(keypoints, "float64"), np.asarray(others, "float64")
    areas = (area + np.asarray(other_areas, "float64")) / 2
    return similarity(keypoints[:, :2], others[..., :2], areas, sigmas).mean(-1)


def oks_nms(
    keypoints: np.ndarray,
    areas: np.ndarray,
    scores: np.ndarray,
    threshold: float = 0.9,
    sigmas: Sequence[float] = COCO.sigmas,
) -> np.ndarray:
    """Greedy suppression: drops a pose if its OKS with a better one is above `threshold`.

    Args:
        keypoints: (N, K, 3): x, y in image pixels and score.
        areas: (N,) square image pixels.
        scores: (N,) instance scores.
        threshold: OKS; 0.9 in the original evaluation.
        sigmas: K spreads.

    Returns:
        Indices of the poses that are kept, best first.
    """
    keypoints, areas = np.asarray(keypoints), np.asarray(areas)
    order = np.argsort(scores, kind="stable")[::-1]
    keep = []
    while order.size:
        best, order = order[0], order[1:]
        keep.append(best)
        overlap = oks(keypoints[best], areas[best], keypoints[order], areas[order], sigmas)
        order = order[overlap <= threshold]
    return np.array(keep, "int64")


def coco_ap(
    annotations: str | Path | CocoFile | Mapping,
    results: Sequence[Mapping],
    sigmas: Sequence[float] | None = COCO.sigmas,
    image_ids: Iterable[int] | None = None,
    report: Report = to_stderr,
) -> dict[str, float]:
    """COCO's ten keypoint numbers of results on a file; see `score`.

    Annotations without `area` get 0.53 of the area of their box, as in CrowdPose's evaluation. All
    categories with keypoints count as one. Annotations that cannot be read do not count.

    Args:
        annotations: COCO keypoint annotation file, parsed or not, or its contents, which are not
            changed.
        results: as in `score`.
        sigmas: K spreads, usually of a `KeypointSet`.
        image_ids: count these images only.
        report: receives a line for each annotation that cannot be read.

    Raises:
        ValueError: the file has no COCO keypoints, their number is not that of `sigmas`, a result
            is for an unknown image, or there are no sigmas.
    """
    if isinstance(annotations, str | Path):
        annotations = read_coco_json(annotations, report)
    if not isinstance(annotations, CocoFile):
        annotations = coco_file(copy.deepcopy(dict(annotations)), Path("`annotations`"))
    listed, known = listed_images(annotations, report, named=False)
    images = {
        key: ImageFile(key, Path(image.name or str(key)), image.size or (0, 0))
        for key, image in listed.items()
    }
    people = people_of(annotations, images, known, report)
    return score(ground_truth(people, images, sigmas), results, sigmas, image_ids)


def score(
    truth: Mapping,
    results: Sequence[Mapping],
    sigmas: Sequence[float],
    image_ids: Iterable[int] | None = None,
) -> dict[str, float]:
    """COCO's ten keypoint numbers, by pycocotools.

    The size of a result is computed from its keypoints, as in COCO; its `bbox` is ignored.

    Args:
        truth: of `ground_truth`.
        results: dicts of `image_id`, `keypoints` (3 K numbers: x, y in image pixels, score) and
            `score`. Without any results, the numbers are 0.
        sigmas: K spreads.
        image_ids: count these images only.

    Returns:
        AP AP50 AP75 AP_M AP_L AR AR50 AR75 AR_M AR_L as fractions; -1, as in pycocotools, where the
        ground truth has no object of that size.

    Raises:
        ValueError: a result is for an unknown image, or has another number of keypoints.
    """
    found = {**truth, "annotations": _detections(results, truth, len(sigmas))}
    # pycocotools sorts the ids of images, so they must not be numbers here and text there.
    numbers = {image["id"]: number for number, image in enumerate(truth["images"], 1)}
    truth, found = (_renumbered(each, numbers) for each in (truth, found))
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints
        evaluation = COCOeval(_index(truth), _index(found), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, "float64")
        if image_ids is not None:
            evaluation.params.imgIds = sorted(numbers[each] for each in image_ids)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(COCO_NUMBERS, evaluation.stats.tolist(), strict=True))


def whole_body_ap(truth: Mapping, results: Sequence[Mapping]) -> dict[str, float]:
    """AP and AR of body, feet, face and hands, as COCO-WholeBody scores them.

    Each part is scored as a keypoint set of its own; a person without labelled keypoints in the
    part does not count. The sizes of persons are those of their annotations.

    Args:
        truth: from `ground_truth`, with 133 keypoints.
        results: as in `score`.
    """
    numbers = {}
    for part, (first, end) in WHOLE_BODY_PARTS.items():
        persons = []
        for each in truth["annotations"]:
            keypoints = each["keypoints"][3 * first : 3 * end]
            labelled = sum(v > 0 for v in keypoints[2::3])
            persons.append(each | {"keypoints": keypoints, "num_keypoints": labelled})
        found = [each | {"keypoints": each["keypoints"][3 * first : 3 * end]} for each in results]
        sigmas = COCO_WHOLEBODY.sigmas[first:end]
        ten = score(truth | {"annotations": persons}, found, sigmas)
        numbers |= {f"{name} {part}": ten[name] for name in ("AP", "AR")}
    return numbers


def _renumbered(dataset, numbers):
    """A copy of a data set with these numbers for the ids of its images."""
    return {
        **dataset,
        "images": [{"id": numbers[each["id"]]} for each in dataset["images"]],
        "annotations": [
            each | {"image_id": numbers[each["image_id"]]} for each in dataset["annotations"]
        ],
    }


def _index(dataset):
    index = pycocotools.coco.COCO()
    index.dataset = dataset
    index.createIndex()
    return index


def ground_truth(
    people: Iterable[Record], images: Iterable[int], sigmas: Sequence[float] | None = COCO.sigmas
) -> dict:
    """COCO annotations of people for `score`, with ids 1, 2, … and counts of their own.

    Args:
        people: all people, with crowds and those without labelled keypoints, which are ignored.
        images: the ids of all images.
        sigmas: K spreads.

    Raises:
        ValueError: people have other keypoints, or there are no sigmas.
    """
    if sigmas is None:
        raise ValueError(
            "`sigmas` must be one number per keypoint. Received: sigmas=None. A keypoint set that "
            "defines no OKS has no AP; use its own metric (MPII: PCKh)."
        )
    annotations = []
    for number, person in enumerate(people, 1):
        if len(person.keypoints) != len(sigmas):
            raise ValueError(
                f"`annotations` must have {len(sigmas)} keypoints. Received: "
                f"{len(person.keypoints)} keypoints in annotation {person.id}. Use the keypoint "
                "file of the data set (person_keypoints_….json) and the sigmas of its keypoint set."
            )
        annotations.append(
            {
                # pycocotools takes the id 0 for "not matched", and keeps one of equal ids.
                "id": number,
                "image_id": person.image.id,
                "category_id": 1,  # all categories are scored together
                "bbox": person.box.tolist(),
                "area": person.area,
                "iscrowd": int(person.crowd),
                "keypoints": person.keypoints.ravel().tolist(),
                "num_keypoints": int((person.keypoints[:, 2] > 0).sum()),
            }
        )
    return {
        "images": [{"id": each} for each in images],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person"}],
    }


def _detections(results, truth, count):
    """Prepares results as pycocotools' `loadRes` does, which fails on an empty list."""
    images = {image["id"] for image in truth["images"]}
    detections = []
    for i, result in enumerate(results):
        points = np.asarray(result["keypoints"], "float64").reshape(-1, 3)[:, :2]
        if len(points) != count or result["image_id"] not in images:
            raise ValueError(
                f"`results` must have {count} keypoints each and belong to images of the ground "
                f"truth. Received: {len(points)} keypoints for image {result['image_id']} in "
                f"result {i}. Evaluate with the annotation file of the same images."
            )
        (x, y), (width, height) = points.min(0), np.ptp(points, 0)
        added = {"id": i + 1, "bbox": [x, y, width, height], "area": width * height}
        added |= {key: result[key] for key in ("image_id", "keypoints", "score")}
        detections.append({"category_id": 1} | added)
    return detections
