"""Keypoint sets as data: names, flip pairs, skeleton with colours, OKS sigmas.

Ids count from 0. "Left" is the left of the person or animal, as in the annotations. Each set's
`source` says where its facts come from. Colours follow the habit of the field: green is left,
orange is right, blue is trunk and head; fingers have one colour each, faces are white.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

Color = tuple[int, int, int]

LEFT: Color = (0, 255, 0)

RIGHT: Color = (255, 128, 0)

CENTER: Color = (51, 153, 255)

FACE: Color = (255, 255, 255)

FINGERS: tuple[Color, ...] = (
    (255, 128, 0),
    (255, 153, 255),
    (102, 178, 255),
    (255, 51, 51),
    (0, 255, 0),
)


@dataclass(frozen=True)
class KeypointSet:
    """The keypoints that the K channels of a pose network stand for.

    Attributes:
        name: short name, the key in `KEYPOINT_SETS`.
        names: one name per keypoint, K of them.
        flip_pairs: ids that change places in a mirrored image.
        skeleton: pairs of ids to join by a line.
        colors: RGB 0..255, one per line of the skeleton.
        point_colors: RGB 0..255, one per keypoint.
        sigmas: OKS spread of each keypoint as a fraction of the object's size; None where no OKS is
            defined.
        upper_body: ids of the upper half, for half-body augmentation; empty where undefined.
        source: paper, annotation file or original code that defines the set.

    Raises:
        ValueError: lengths that disagree, ids outside 0..K-1, an id in two flip pairs.
    """

    name: str
    names: tuple[str, ...]
    flip_pairs: tuple[tuple[int, int], ...]
    skeleton: tuple[tuple[int, int], ...]
    colors: tuple[Color, ...]
    point_colors: tuple[Color, ...]
    sigmas: tuple[float, ...] | None
    upper_body: tuple[int, ...]
    source: str

    def __post_init__(self):
        count = len(self.names)
        lengths = [("colors", len(self.skeleton)), ("point_colors", count)]
        lengths += [("sigmas", count)] if self.sigmas is not None else []
        for field, expected in lengths:
            if len(getattr(self, field)) != expected:
                raise ValueError(
                    f"`{field}` of keypoint set {self.name!r} must have {expected} entries. "
                    f"Received: {len(getattr(self, field))} entries."
                )
        pairs = {"flip_pairs": self.flip_pairs, "skeleton": self.skeleton}
        flat = {field: [i for pair in value for i in pair] for field, value in pairs.items()}
        for field, ids in [*flat.items(), ("upper_body", self.upper_body)]:
            outside = [i for i in ids if not 0 <= i < count]
            if outside:
                raise ValueError(
                    f"`{field}` of keypoint set {self.name!r} must hold ids from 0 to {count - 1}. "
                    f"Received: {outside[0]}. Ids count from 0 (COCO files count from 1)."
                )
        if len(set(flat["flip_pairs"])) != len(flat["flip_pairs"]):
            raise ValueError(
                f"`flip_pairs` of keypoint set {self.name!r} must name each keypoint at most once. "
                f"Received: flip_pairs={self.flip_pairs}."
            )


_HEAD = ("eye", "ear")

_LIMBS = ("elbow", "wrist", "knee", "ankle", "big_toe", "small_toe", "heel")

_LIMBS += ("front_paw", "back_paw")

_SIDES = {"left": "left", "right": "right", "l": "left", "r": "right"}


def plain_name(name: str) -> str:
    """The name in the form `left_eye`, which "eye_l", "Left Eye" and "LEye" become."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    words = [word for word in re.split(r"[\W_]+", words) if word]
    # A lone l or r means a side only at the start or the end of a name.
    found = [word for word in words if word in ("left", "right")]
    found += [word for word in words[:1] + words[-1:] if word in _SIDES]
    if not found:
        return "_".join(words)
    words.remove(found[0])
    return "_".join([_SIDES[found[0]], *words])


def _part(plain):
    return plain.removeprefix("left_").removeprefix("right_")


def side_color(plain):
    """Colour of a keypoint: green for left, orange for right, blue for head and trunk."""
    if _part(plain) in _HEAD or _part(plain) == plain:
        return CENTER
    return LEFT if plain.startswith("left_") else RIGHT


def line_color(first, second):
    """Colour of a line: its limb's if one of its ends is in a limb, else the trunk's."""
    limbs = [plain for plain in (first, second) if _part(plain) in _LIMBS]
    return side_color(limbs[0]) if limbs else CENTER


def pairs_by_name(names):
    """Flip pairs of the keypoints whose names differ only in left and right, or in l and r."""
    ids = {plain_name(name): i for i, name in enumerate(names)}
    lefts = [plain for plain in ids if plain.startswith("left_")]
    pairs = [(ids[left], ids.get("right_" + _part(left))) for left in lefts]
    pairs = [pair for pair in pairs if pair[1] is not None]
    paired = {i for pair in pairs for i in pair}
    pairs += _glued({i: name.lower() for i, name in enumerate(names) if i not in paired})
    return tuple(sorted((min(pair), max(pair)) for pair in pairs))


def _glued(names):
    """Pairs of names, such as leftear and rightear, that differ by one exchange of the sides.

    A name that has two partners, as ll has lr and rl, has none.
    """
    ids = {name: i for i, name in names.items()}
    partners = {}
    for name, i in ids.items():
        for left, right in (("left", "right"), ("l", "r")):
            others = (name[: m.start()] + right + name[m.end() :] for m in re.finditer(left, name))
            for other in {each for each in others if each in ids}:
                partners.setdefault(i, set()).add(ids[other])
                partners.setdefault(ids[other], set()).add(i)
    single = {i: min(others) for i, others in partners.items() if len(others) == 1}
    return [(i, other) for i, other in single.items() if i < other and single.get(other) == i]


def keypoint_set(
    names: Sequence[str],
    *,
    name: str = "own",
    flip_pairs: Sequence[tuple[int, int]] | None = None,
    skeleton: Sequence[tuple[int, int]] = (),
    sigmas: Sequence[float] | None = None,
    upper_body: Sequence[int] = (),
    source: str = "",
) -> KeypointSet:
    """A set in the usual colours; only the names are needed.

    Arguments are the attributes of `KeypointSet`. Without `flip_pairs`, keypoints are paired by
    names that differ in left and right only, such as left_eye and right_eye, "Left eye" and
    "Right eye", eye_l and eye_r, leftear and rightear, FL_paw and FR_paw.

    Raises:
        ValueError: what `KeypointSet` raises.
    """
    plain = dict(enumerate(map(plain_name, names)))
    return KeypointSet(
        name=name,
        names=tuple(names),
        flip_pairs=pairs_by_name(names) if flip_pairs is None else tuple(flip_pairs),
        skeleton=tuple(skeleton),
        # `KeypointSet` refuses an id without a name, and says why.
        colors=tuple(line_color(plain.get(a, ""), plain.get(b, "")) for a, b in skeleton),
        point_colors=tuple(side_color(each) for each in plain.values()),
        sigmas=sigmas if sigmas is None else tuple(sigmas),
        upper_body=tuple(upper_body),
        source=source,
    )
