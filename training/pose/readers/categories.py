"""Chooses among the categories of a COCO-format file those whose keypoints are meant."""

from collections import Counter
from collections.abc import Mapping

from hrnet_tf.labels.keypoints import KeypointSet, plain_name
from hrnet_tf.training.data.coco_json import CocoFile
from hrnet_tf.training.data.sources import Note, Report


def keypoint_names(category: object) -> tuple[str, ...]:
    """The names of a category's keypoints; empty if it has none, or only numbers."""
    names = category.get("keypoints") if isinstance(category, Mapping) else None
    names = tuple(map(str, names)) if isinstance(names, list) else ()
    return () if all(name.strip().isdecimal() for name in names) else names


def fits(names: tuple[str, ...], keypoints: KeypointSet) -> bool:
    """Whether these are names of the set, in its order, or of a part of it in any order."""
    theirs, ours = list(map(plain_name, names)), list(map(plain_name, keypoints.names))
    return theirs == ours or (len(theirs) < len(ours) and set(theirs) <= set(ours))


def wanted(coco: CocoFile, keypoints: KeypointSet | None, category: str | None) -> list[Mapping]:
    """The categories that are meant.

    These are: `category`; or those whose keypoints have the names of the set; or all that name
    keypoints; or all.

    Args:
        coco: the parsed file.
        keypoints: the set whose names choose; None for any.
        category: name or id of a category.

    Raises:
        ValueError: there is no such category, or several have keypoints of different names, and
            none has those of the set.
    """
    listed = [each for each in coco.categories if isinstance(each, dict) and "id" in each]
    named = [each for each in listed if each.get("keypoints")]
    if category:
        found = [each for each in listed if category in (str(each["id"]), each.get("name"))]
        if not found:
            raise ValueError(
                f"`category` must be one of {_all(listed)}. Received: category={category!r}."
            )
        return found
    if keypoints is None or len({str(each["keypoints"]) for each in named}) < 2:
        return named or listed
    found = [each for each in named if fits(keypoint_names(each), keypoints)]
    if not found:
        raise ValueError(
            f"{coco.path}: the categories {_all(named)} have different `keypoints`, none those of "
            f"the set {keypoints.name!r}. Name one with --category."
        )
    return found


def chosen(
    coco: CocoFile, keypoints: KeypointSet | None, category: str | None, report: Report
) -> list[tuple[int, object]]:
    """(place, annotation) pairs of the categories that are meant; see `wanted`.

    An annotation whose category is missing or not listed is of any of them, if no other category
    has keypoints. `report` receives a line for each category with other keypoints.
    """
    ids = [each["id"] for each in wanted(coco, keypoints, category)]
    listed = [each for each in coco.categories if isinstance(each, dict) and "id" in each]
    others = {str(each["id"]): each for each in listed if each["id"] not in ids}
    rivals = {key: each for key, each in others.items() if each.get("keypoints")}
    entries, counts, unlisted = [], Counter(), []
    for place, entry in enumerate(coco.annotations):
        own = entry.get("category_id") if isinstance(entry, dict) else None
        if isinstance(own, int | str) and str(own) in others:
            counts[str(own)] += 1
        elif own in ids or not rivals:
            entries.append((place, entry))
            if own is not None and own not in ids:
                unlisted.append(entry)
        else:
            report(
                f"{coco.path}: annotation {named(entry, place)} is left out: no category has its "
                f"`category_id`, {own}."
            )
    if listed and 0 < len(unlisted) < len(entries):
        first = named(unlisted[0], 0)
        report(
            f"{coco.path}: {len(unlisted)} annotations have a `category_id` that no category has; "
            f"the first is annotation {first}. They are read all the same."
        )
    for key, each in rivals.items():
        if counts[key]:
            report(
                Note(
                    f"{coco.path}: {counts[key]} annotations of the category {each.get('name')!r} "
                    "are left out: its keypoints have other names."
                )
            )
    return entries


def named(annotation: object, place: int) -> int | str:
    """What messages call an annotation: its id, or its place in the file."""
    name = annotation.get("id") if isinstance(annotation, dict) else None
    return f"number {place + 1}" if name is None else name


def _all(categories):
    return ", ".join(repr(each.get("name", each["id"])) for each in categories) or "none"
