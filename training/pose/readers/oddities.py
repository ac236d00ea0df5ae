"""Finds what looks wrong in annotations that can be read: in one person, and in most people."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from hrnet_tf.training.pose.readers.coco import Record

FAR = 0.5  # longer sides of the box; no joint of 259 people of COCO lies that far outside its box
AREAS = (0.01, 1.2)  # usual shares of a box that the area of a person has
FAINT = 0.1  # visibility of the surest keypoint below which none can be meant
LARGE = 250  # pixels; sides from which all people within 100 pixels of the corner look wrong
ENOUGH = 7  # keypoints; fewer may lie anywhere in a box
SAMPLE = 5000  # people who are looked at for mistakes in the whole file
FEW = 3  # people; fewer say nothing about the whole file
MANY = 0.2  # share of seen keypoints
SMALL = 0.55  # of the usual extent of keypoints in their box; COCO's people have .75 or more
MOST = 0.5  # share of people from which a mistake in the whole file is suspected


def oddities(people: Sequence[Record], measured: bool = True) -> dict[str, np.ndarray]:
    """What looks wrong in people: text -> a mask (N, K) of their keypoints, or (N,) of people.

    Boxes that are made of a centre and a scale are not `measured`.
    """
    if not people:
        return {}
    keypoints = np.array([record.keypoints for record in people])
    boxes = np.array([record.box for record in people])
    sizes = np.array([record.image.size[::-1] for record in people])
    areas, crowds = (np.array([getattr(r, name) for r in people]) for name in ("area", "crowd"))
    points, visible = keypoints[..., :2], keypoints[..., 2]
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    labelled = visible > 0
    zero = labelled & (points == 0).all(axis=2)
    outside = labelled & ((points < -1) | (points > sizes[:, None])).any(axis=2)
    beyond = np.maximum(low[:, None] - points, points - high[:, None]).max(axis=2)
    far = labelled & (beyond > FAR * boxes[:, 2:].max(axis=1)[:, None]) & ~zero & ~outside
    share = areas / boxes[:, 2:].prod(axis=1)
    longer = boxes[:, 2:].max(axis=1)[:, None]
    # Who tells hidden keypoints from seen ones puts boxes around the seen ones, as COCO does: of
    # its 259 people with keypoints here none has a seen one that far outside, and one has half of
    # all labelled ones.
    told = (visible == 1).any()
    seen = visible == 2 if told else labelled
    out = seen & (beyond > 2 + (0.05 if told else 0.1) * longer) & ~(zero | outside | far)
    count = labelled.sum(axis=1)
    extent = _reach(points, labelled) / longer[:, 0]
    full = count > max(0.7 * keypoints.shape[1], ENOUGH)
    usual = np.median(extent[full]) if full.sum() >= FEW else 0
    # Hands of COCO-WholeBody have shares, but beside bodies with 1 and 2.
    faint = labelled & (visible.max(axis=1) < FAINT)[:, None]
    found = {
        "its box lies outside the image": ((high <= 0) | (low >= sizes)).any(axis=1),
        "labelled at (0, 0)": zero,
        "outside the image": outside,
        "far outside its box": far,
        "visibility is not 0, 1 or 2": (visible > 2) | (visible < 0) | faint,
    }
    return (
        found
        if not measured
        else found
        | {
            "its `bbox` reaches beyond the image": (high > 1.05 * sizes + 2).any(axis=1),
            "its `area` is not that of anything in its `bbox`": (share < AREAS[0])
            | (share > AREAS[1]),
            "it is a crowd (`iscrowd`) with labelled keypoints": crowds & labelled.any(axis=1),
            "many seen `keypoints` lie outside its `bbox`": out.sum(axis=1)
            > (MANY if told else MOST) * seen.sum(axis=1),
            "its `keypoints` cover little of its `bbox`": full & (extent < SMALL * usual),
        }
    )


def _reach(points, labelled):
    """The longer side (N,) of the region that labelled points cover; 0 where there are none."""
    low = np.where(labelled[..., None], points, np.inf).min(axis=1)
    high = np.where(labelled[..., None], points, -np.inf).max(axis=1)
    return np.where(labelled.any(axis=1), (high - low).max(axis=1), 0)


def summaries(people: Sequence[Record]) -> Iterator[str]:
    """A sentence for each kind of oddity, with the number of people and the first of them."""
    for what, mask in oddities(people).items():
        found = mask if mask.ndim == 1 else mask.any(axis=1)
        if number := int(found.sum()):
            first = people[int(found.argmax())]
            what = what if mask.ndim == 1 else f"`keypoints` {what}"
            yield f"of {number} of {len(people)} people, {what}; the first is annotation {first.id}"


def suspicions(people: Sequence[Record], measured: bool = True) -> Iterator[str]:
    """A sentence for each mistake that most people in the file seem to share.

    Boxes that are made of a centre and a scale are not `measured`.
    """
    people = people[:: -(-len(people) // SAMPLE) or 1]  # these say what most of all do
    people = [r for r in people if min(r.image.size) > 8 and (r.keypoints[:, 2] > 0).any()]
    if not people:
        return
    keypoints = np.array([record.keypoints for record in people])
    boxes = np.array([record.box for record in people])
    sizes = np.array([record.image.size[::-1] for record in people], float)
    points, labelled = keypoints[..., :2], keypoints[..., 2] > 0
    counts = labelled.sum(axis=1)

    def most(mask):
        return np.mean((mask & labelled).sum(axis=1) / counts) > MOST

    low, high = boxes[:, None, :2], boxes[:, None, :2] + boxes[:, None, 2:]
    reach = boxes[:, :2] + boxes[:, 2:]
    large = np.median(sizes.min(axis=1)) > LARGE
    if most((np.abs(points) <= 1.5).all(axis=2)):
        yield "`keypoints` look like shares of the image, 0 to 1; COCO's are pixels"
    if len(people) < FEW:
        return
    if large and points[labelled].max() <= 100 and np.median(points[labelled]) > 1.5:
        yield "`keypoints` look like percent of the image, 0 to 100; COCO's are pixels"
    elif most(((points < -1) | (points > sizes[:, None])).any(axis=2)):
        turned = most((points[..., ::-1] <= sizes[:, None]).all(axis=2))
        how = "are x and y exchanged?" if turned else "were they resized after annotation?"
        yield f"most `keypoints` lie outside their images: {how}"
    if not measured:
        return
    corners = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & (boxes[:, 2:] <= sizes + 1).all(axis=1)
    beyond = (reach > 1.05 * sizes + 2).any(axis=1)
    # People at the left and upper edges reach beyond the image in neither reading.
    if np.mean(corners) > MOST and np.mean(beyond & corners) > MOST / 2:
        yield "`bbox` looks like left, top, right, bottom; COCO's is left, top, width, height"
    elif np.mean((boxes <= 1.5).all(axis=1)) > MOST:
        yield "`bbox` looks like shares of the image, 0 to 1; COCO's is in pixels"
    elif large and reach.max() <= 101:
        yield "`bbox` looks like percent of the image, 0 to 100; COCO's is in pixels"
    elif most(((points < low) | (points > high)).any(axis=2)):
        yield "most `keypoints` lie outside their `bbox`: were only the ones or the others changed?"


def misplaced(people: Sequence[Record]) -> str:
    """A sentence if people lie outside of the squares of their centres and scales; or empty."""
    found = []
    for record in people:
        points = record.keypoints[record.keypoints[:, 2] > 0, :2]
        low, high = record.box[:2], record.box[:2] + record.box[2:]
        if len(points) and np.mean(((points < low) | (points > high)).any(axis=1)) > MOST:
            found.append(record.id)
    if not found:
        return ""
    return (
        f"most joints of {len(found)} of {len(people)} people lie outside the square of their "
        f"`center` and `scale`; the first is entry {found[0]}"
    )


def one_picture(images: Mapping) -> str:
    """A sentence if a file lists one picture under all of its ids; empty otherwise."""
    paths = {image.path for image in images.values()}
    if len(images) > 1 and len(paths) == 1:
        return f"all {len(images)} images have the same `file_name`, {paths.pop().name}"
    return ""
