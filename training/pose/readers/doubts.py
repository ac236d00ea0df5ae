"""What casts doubt on annotations that can be read: the lines of `evaluate`, `train`, `inspect`."""

from collections.abc import Iterator

from hrnet_tf.labels.keypoint_sets import COCO_AIC, CROWDPOSE
from hrnet_tf.labels.keypoints import KeypointSet
from hrnet_tf.training.data.coco_segments import contradictions
from hrnet_tf.training.pose.readers import Annotations
from hrnet_tf.training.pose.readers.categories import named
from hrnet_tf.training.pose.readers.coco import AREA_OF_BOX
from hrnet_tf.training.pose.readers.oddities import misplaced, one_picture, summaries, suspicions

OF_BOXES = (CROWDPOSE, COCO_AIC)  # sets whose files have no areas


def doubts(found: Annotations, keypoints: KeypointSet, one_by_one: bool = True) -> Iterator[str]:
    """A sentence for each thing that looks wrong in a file.

    Args:
        found: the annotations.
        keypoints: the set of those who use them.
        one_by_one: whether to count what looks wrong in single people.
    """
    people = [record for record in found.everyone if not record.crowd]
    if found.data_format != "coco":
        lines = (*suspicions(people, measured=False), misplaced(people))
        yield from (f"{found.path}: {line}." for line in lines if line)
        return
    others = {each.get("id") for each in found.coco.categories if isinstance(each, dict)}
    others -= {*found.categories}
    entries = [
        (f"annotation {named(each, place)}", each, each.get("segmentation"))
        for place, each in enumerate(found.coco.annotations)
        if isinstance(each, dict) and each.get("keypoints")
        if each.get("category_id") not in others
    ]
    if keypoints.sigmas is not None and keypoints not in OF_BOXES:
        lacking = [name for name, each, shape in entries if each.get("area") is None and not shape]
        if lacking:
            yield (
                f"{found.path}: {len(lacking)} annotations have no `area`; {AREA_OF_BOX} of that "
                f"of their box is taken, as for CrowdPose; the first is {lacking[0]}."
            )
    single = summaries(found.everyone) if one_by_one else ()
    lines = (*suspicions(people), *single, *contradictions(entries))
    for line in (*lines, one_picture(found.images)):
        if line:
            yield f"{found.path}: {line}."
