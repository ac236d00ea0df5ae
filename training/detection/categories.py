"""Which class of a network stands for which category of an annotation file."""

from collections.abc import Sequence
from pathlib import Path

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.names import did_you_mean
from hrnet_tf.training.detection.truth import Truth

LISTED = 5  # an error names at most this many categories


def chosen(truth: Truth, classes: Sequence[str] | None, path: str | Path) -> Truth:
    """The objects of these classes alone; all of them if None.

    Raises:
        ValueError: the file has no category of such a name.
    """
    if classes is None:
        return truth
    known = [_plain(name) for name in truth.names]
    for name in classes:
        if _plain(name) not in known:
            raise ValueError(
                f"`classes` must be categories of {path}. Received: {name!r}."
                f"{did_you_mean(name, truth.names)}"
            )
    wanted = {_plain(name) for name in classes}
    return truth.without({i for i, name in enumerate(known, 1) if name not in wanted})


def matched(truth: Truth, card: DetectionCard, path: str | Path) -> tuple[Truth, dict[int, int]]:
    """The objects that the network can find, and the category of each of its classes.

    Categories are matched by id if the names agree where the file has names, otherwise by name.
    Categories without objects need no class.

    Returns:
        The objects, and class index -> number of the category.

    Raises:
        ValueError: the network has no class for a category with objects.
    """
    by_id = {each: index for index, each in enumerate(card.category_ids)}
    by_name = {_plain(name): index for index, name in enumerate(card.classes)}
    used = {each["category_id"] for each in truth.annotations}
    ids, names = {}, {}
    for key, number in truth.categories.items():
        name = truth.names[number - 1]
        if key in by_id and (name == str(key) or _plain(name) == _plain(card.classes[by_id[key]])):
            ids[number] = by_id[key]
        if _plain(name) in by_name:
            names[number] = by_name[_plain(name)]
    found = ids if used <= set(ids) else names
    missing = [truth.names[number - 1] for number in sorted(used - set(found))]
    if missing:
        more = f" and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
        raise ValueError(
            f"The network must have a class for each category of {path} with objects. It has none "
            f"for {', '.join(missing[:LISTED])}{more}; its classes are {card.label_set}: "
            f"{', '.join(card.classes[:LISTED])}{', …' if len(card.classes) > LISTED else ''}. "
            "Name the categories as its card does, or score some with `classes`."
        )
    if len(set(found.values())) < len(found):
        raise ValueError(f"Two categories of {path} have the same name; give each its own.")
    rest = truth.without(set(range(1, len(truth.names) + 1)) - set(found))
    classes = [found[number] for number in sorted(found)]
    return rest, {index: number for number, index in enumerate(classes, 1)}


def _plain(name):
    """A name for comparisons: COCO's "traffic light" is "traffic_light" in some files."""
    return " ".join(str(name).casefold().replace("_", " ").replace("-", " ").split())
