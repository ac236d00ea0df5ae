"""COCO's twelve numbers of boxes and of masks, by pycocotools."""

import contextlib
import io
from collections.abc import Sequence

import numpy as np
import pycocotools.coco
from pycocotools.cocoeval import COCOeval

NUMBERS = ("AP", "AP50", "AP75", "AP_S", "AP_M", "AP_L")
NUMBERS += ("AR1", "AR10", "AR", "AR_S", "AR_M", "AR_L")


def coco_numbers(
    truth: Sequence[dict], found: Sequence[dict], images: int, categories: int, kind: str
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """COCO's numbers, over all classes and for each one.

    Args:
        truth: annotations with `image_id` and `category_id` counted from 1, `bbox`, `area`,
            `iscrowd` and, for masks, `segmentation` as a run-length encoding.
        found: objects with `image_id`, `category_id`, `bbox` or `segmentation`, and `score`.
        images: number of images.
        categories: number of categories.
        kind: "bbox" or "segm".

    Returns:
        The numbers by name: AP over IoU .5 to .95, at .5 and .75, of small, medium and large
        objects, recall with at most 1, 10 and 100 objects an image, and by size. -1, as in
        pycocotools, where there is nothing to find. Then AP, AP50 and AR of each category.
    """
    everything = {
        "images": [{"id": number, "height": 1, "width": 1} for number in range(1, images + 1)],
        "categories": [{"id": number} for number in range(1, categories + 1)],
    }
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints
        given = _index(everything, truth)
        evaluation = COCOeval(given, _index(everything, [_sized(x, kind) for x in found]), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    numbers = dict(zip(NUMBERS, evaluation.stats.tolist(), strict=True))
    precision, recall = (evaluation.eval[each] for each in ("precision", "recall"))
    # Axes: IoU, recall, category, size (all first), objects per image (100 last).
    rows = [
        {
            "AP": _mean(precision[:, :, each, 0, -1]),
            "AP50": _mean(precision[0, :, each, 0, -1]),
            "AR": _mean(recall[:, each, 0, -1]),
        }
        for each in range(categories)
    ]
    return numbers, rows


def _sized(result, kind):
    """A result with the size by which it counts as small, medium or large."""
    if kind == "bbox":
        return {**result, "area": result["bbox"][2] * result["bbox"][3], "iscrowd": 0}
    area = float(pycocotools.coco.maskUtils.area(result["segmentation"]))
    return {**result, "area": area, "iscrowd": 0}


def _index(everything, annotations):
    """An index of annotations; their ids count from 1, as id 0 means "not matched" there."""
    index = pycocotools.coco.COCO()
    numbered = [{**each, "id": number} for number, each in enumerate(annotations, 1)]
    index.dataset = {**everything, "annotations": numbered}
    index.createIndex()
    return index


def _mean(values):
    """The mean of what could be measured, -1 if nothing could."""
    known = values[values > -1]
    return float(np.mean(known)) if known.size else -1.0
