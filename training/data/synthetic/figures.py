"""Draws people: the bones of a 3-D doll are painted as round strokes, from back to front."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from hrnet_tf.labels.keypoint_sets import COCO

SUPERSAMPLE = 2

SKIN = ("#ffdfc4", "#f0c8a0", "#d8a070", "#b0764a", "#8a5534", "#5c3a26")
HAIR = ("#2b1d16", "#4a2f1d", "#7a4a22", "#b5793a", "#e3b45c", "#a63a1f", "#8d8d94")
CLOTHES = (
    "#e4572e", "#f3a712", "#f6e27f", "#76b041", "#2e8b73", "#17bebb", "#3b7dd8", "#34459c",
    "#7a4fb5", "#c8477d", "#f4a6b8", "#f7f3e8", "#9aa5b1", "#3d4451",
)  # fmt: skip
SHOES = ("#2b2b30", "#7a3b1d", "#f2f2f2", "#c92c3f")
# Degrees: swing forward, lift sideways, twist of the elbow's plane, bend of the elbow; left, right.
ARMS = (
    ((0, 12, 0, 12), (0, 12, 0, 12)),  # hanging
    ((0, 140, 60, 40), (0, 12, 0, 12)),  # waving
    ((0, 150, 60, 20), (0, 150, 60, 20)),  # cheering
    ((0, 88, 0, 8), (0, 88, 0, 8)),  # spread
    ((0, 85, 85, 95), (0, 85, 85, 95)),  # showing muscles
    ((-12, 42, -80, 95), (-12, 42, -80, 95)),  # hands on the hips
    ((-12, 42, -80, 95), (0, 150, 60, 20)),
    ((35, 16, 0, 25), (-35, 16, 0, 25)),  # walking
    ((45, 24, 0, 90), (-45, 24, 0, 85)),  # running
    ((30, 28, 0, 75), (30, 28, 0, 75)),  # carrying
    ((10, 80, 0, 6), (0, 15, 0, 20)),  # pointing
)
# Degrees: swing forward, lift sideways, bend of the knee; left, right.
LEGS = (
    ((0, 4, 3), (0, 4, 3)),
    ((0, 5, 3), (0, 5, 3)),
    ((0, 20, 5), (0, 20, 5)),  # astride
    ((25, 4, 6), (-20, 4, 20)),  # walking
    ((60, 5, 65), (-28, 5, 65)),  # running
    ((0, 42, 6), (0, 6, 4)),  # kicking sideways
    ((35, 24, 60), (-15, 24, 15)),  # lunging
    ((70, 28, 95), (70, 28, 95)),  # squatting
    ((0, 36, 30), (0, 36, 30)),  # jumping
)


@dataclass(frozen=True)
class Stroke:
    """A filled outline, drawn with a round brush: `points` (N, 2), `radii` (N,), image pixels."""

    depth: float
    points: np.ndarray
    radii: np.ndarray
    colour: tuple[int, int, int]


def _turn(axis: str, degrees: float) -> np.ndarray:
    """Rotation matrix (3, 3); x to the doll's left, y down, z to where it looks."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    if axis == "x":
        return np.array(((1, 0, 0), (0, c, -s), (0, s, c)))
    if axis == "y":
        return np.array(((c, 0, s), (0, 1, 0), (-s, 0, c)))
    return np.array(((c, -s, 0), (s, c, 0), (0, 0, 1)))


def _bend_joints(rng: np.random.Generator, head: float) -> dict[str, np.ndarray]:
    """Joints of a doll in a random pose: 3-D, in body heights, the hips at the origin."""
    arms, legs = ARMS[rng.integers(len(ARMS))], LEGS[rng.integers(len(LEGS))]
    if rng.random() < 0.5:
        arms, legs = arms[::-1], legs[::-1]
    trunk = _turn("z", rng.normal(0, 6)) @ _turn("x", -abs(rng.normal(0, 8)))
    neck = trunk @ (0, -0.31, 0)
    joints = {"neck": neck, "trunk": trunk}
    for side, name, arm, leg in ((1, "left", arms[0], legs[0]), (-1, "right", arms[1], legs[1])):
        swing, lift, twist, bend = np.add(arm, rng.normal(0, (14, 12, 14, 12)))
        upper = trunk @ _turn("x", swing) @ _turn("z", -side * max(lift, 10))
        lower = upper @ _turn("y", side * twist) @ _turn("x", np.clip(bend, 0, 140))
        joints[f"{name}_shoulder"] = shoulder = trunk @ (side * 0.105, -0.295, 0)
        joints[f"{name}_elbow"] = elbow = shoulder + upper @ (0, 0.165, 0)
        joints[f"{name}_wrist"] = wrist = elbow + lower @ (0, 0.15, 0)
        joints[f"{name}_hand"] = wrist + lower @ (0, 0.03, 0)
        swing, lift, bend = np.add(leg, rng.normal(0, (8, 4, 5)))
        upper = _turn("x", swing) @ _turn("z", -side * max(lift, 1))
        lower = upper @ _turn("x", -np.clip(bend, 0, 130))
        joints[f"{name}_hip"] = hip = np.array((side * 0.06, 0, 0))
        joints[f"{name}_knee"] = knee = hip + upper @ (0, 0.235, 0)
        joints[f"{name}_ankle"] = ankle = knee + lower @ (0, 0.235, 0)
        joints[f"{name}_toe"] = ankle + lower @ _turn("y", side * 25) @ (0, 0.02, 0.065)
    look = trunk @ _turn("y", rng.normal(0, 14)) @ _turn("z", rng.normal(0, 7))
    skull = neck + look @ (0, -0.035 - head, 0)
    joints |= {"skull": skull, "look": look, "nose": skull + look @ (0, 0.12 * head, 0.95 * head)}
    for side, name in ((1, "left"), (-1, "right")):
        joints[f"{name}_eye"] = skull + look @ (side * 0.36 * head, -0.1 * head, 0.8 * head)
        joints[f"{name}_ear"] = skull + look @ (side * 0.98 * head, 0.05 * head, -0.05 * head)
    return joints


def draw_figure(
    rng: np.random.Generator, spot: tuple[float, float], tall: float
) -> tuple[list[Stroke], np.ndarray]:
    """Strokes and joints (17, 3) of a doll of height `tall` that stands at `spot`, in pixels.

    A joint is x, y, and 1, or 0 if it is a part of the face that the head hides.
    """
    head = rng.uniform(0.07, 0.095)
    doll = _bend_joints(rng, head)
    back = rng.random() < 0.35
    yaw = np.clip(rng.normal(0, 25), -48, 48) + 180 * back  # no profiles: left would hide right
    view = _turn("z", rng.normal(0, 5)) @ _turn("y", yaw)
    lowest = max((view @ doll[f"{s}_{p}"])[1] for s in ("left", "right") for p in ("toe", "ankle"))
    origin = np.array((spot[0], spot[1] - (lowest + 0.03) * tall, 0))

    def place(point: np.ndarray) -> np.ndarray:
        return view @ point * tall + origin

    strokes = [
        Stroke(
            float(np.mean([place(p)[2] for p in points])) + nearer * tall,
            np.array([place(p)[:2] for p in points]),
            np.broadcast_to(np.asarray(radii) * tall, (len(points),)),
            colour,
        )
        for nearer, points, radii, colour in (*_body(rng, doll), *_face(rng, doll, head))
    ]
    joints = np.array([place(doll[name]) for name in COCO.names])
    # Points of the face that lie deeper than this are hidden by the head.
    limits = np.array((0.1, 0.25, 0.25, -0.55, -0.55)) * head * tall
    facing = np.ones(len(joints))
    facing[:5] = joints[:5, 2] - place(doll["skull"])[2] > limits
    joints[:, 2] = facing
    return sorted(strokes, key=lambda stroke: stroke.depth), joints


def _body(rng: np.random.Generator, doll: dict[str, np.ndarray]) -> list[tuple]:
    """Clothes and limbs: tuples (offset of depth, 3-D points, radii, colour), in body heights."""
    skin = doll["skin"] = rgb(SKIN[rng.integers(len(SKIN))])
    top, bottom, trim = (rgb(c) for c in rng.choice(CLOTHES, 3, replace=False))
    shoes = rgb(SHOES[rng.integers(len(SHOES))])
    sleeves, trousers, build = rng.random() < 0.5, rng.choice(3), rng.uniform(0.9, 1.15)
    parts = []
    for side in ("left", "right"):
        shoulder, elbow, wrist, hand, hip, knee, ankle, toe = (
            doll[f"{side}_{part}"]
            for part in ("shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "toe")
        )
        half, above = (shoulder + elbow) / 2, 0.2 * hip + 0.8 * knee
        parts += [
            (0.065, (elbow, wrist), (0.026 * build, 0.019), top if sleeves else skin),
            (0.066, (hand,), 0.027, skin),
            (0.06, (shoulder, elbow), (0.034 * build, 0.027), top if sleeves else skin),
            (0.105, (shoulder, half), (0.038 * build, 0.034), top),
            (-0.002, (knee, ankle), (0.034 * build, 0.022), skin if trousers else bottom),
            (-0.001, (hip, knee), (0.05 * build, 0.036), skin if trousers else bottom),
            (0.03, (hip, above), (0.056 * build, 0.05), bottom),
            (0.004, (ankle, toe), (0.026, 0.024), shoes),
        ]
    hips, chest = (
        (doll["left_hip"], doll["right_hip"]),
        (doll["left_shoulder"], doll["right_shoulder"]),
    )
    trunk = doll["trunk"]
    if trousers == 2:  # a skirt
        knees = [
            0.45 * h + 0.55 * doll[f"{s}_knee"]
            for h, s in zip(hips, ("left", "right"), strict=True)
        ]
        parts.append((0.032, (*hips, *knees[::-1]), (0.05, 0.05, 0.06, 0.06), bottom))
    parts += [
        (0.035, (*hips, *chest[::-1]), np.array((0.05, 0.05, 0.042, 0.042)) * build, top),
        (-0.03, (doll["neck"], doll["skull"]), 0.03, skin),
    ]
    # A print marks the chest, a rucksack sometimes the back, so that front and back differ.
    mark = [trunk @ (x, y, 0.055) for x, y in ((0, -0.24), (0, -0.06))]
    parts.append((0.03, mark[: rng.integers(1, 3)], 0.03, trim))
    if rng.random() < 0.5:
        bag = [
            trunk @ (x, y, -0.07)
            for x, y in ((-0.05, -0.25), (0.05, -0.25), (0.05, -0.1), (-0.05, -0.1))
        ]
        parts.append((0.0, bag, 0.035, trim))
        for x in (-0.07, 0.07):
            parts.append((0.03, [trunk @ (x, y, 0.04) for y in (-0.31, -0.14)], 0.012, trim))
    return parts


def _face(rng: np.random.Generator, doll: dict[str, np.ndarray], r: float) -> list[tuple]:
    """Head, hair and face, as in `_body`; `r` is the radius of the head in body heights."""
    skin, hair, hat = doll["skin"], rgb(HAIR[rng.integers(len(HAIR))]), rgb(rng.choice(CLOTHES))
    blush = tuple(int(0.75 * a + 0.25 * b) for a, b in zip(skin, (226, 80, 80), strict=True))
    shade = tuple(int(0.8 * a) for a in skin)

    def at(x: float, y: float, z: float) -> np.ndarray:
        return doll["skull"] + doll["look"] @ np.array((x, y, z)) * r

    parts = [
        (0.0, (at(0, -0.12, -0.2),), 1.06 * r, hair),
        (0.1 * r, (at(0, 0.14, 0.3),), 0.88 * r, skin),
        (0.25 * r, (at(-0.42, -0.62, 0.55), at(0.42, -0.62, 0.55)), 0.36 * r, hair),
        (0.0, (at(-0.24, 0.5, 0.75), at(0, 0.6, 0.78)), 0.06 * r, (150, 50, 50)),
        (0.0, (at(0.24, 0.5, 0.75), at(0, 0.6, 0.78)), 0.06 * r, (150, 50, 50)),
        (0.05 * r, (doll["nose"],), 0.15 * r, shade),
    ]
    for side, name in ((1, "left"), (-1, "right")):
        eye = doll[f"{name}_eye"]
        parts += [
            (0.0, (doll[f"{name}_ear"],), 0.24 * r, skin),
            (0.0, (at(0.52 * side, 0.36, 0.7),), 0.15 * r, blush),
            (0.05 * r, (eye,), 0.21 * r, (255, 255, 255)),
            (0.08 * r, (eye,), 0.13 * r, (30, 30, 40)),
        ]
    style = rng.integers(4)
    if style == 1:  # long hair
        strand = [at(x, y, -0.45) for x, y in ((-0.6, 0.2), (0.6, 0.2), (0.55, 1.5), (-0.55, 1.5))]
        parts.append((0.0, strand, 0.4 * r, hair))
    elif style == 2:  # a bun
        parts.append((-0.1 * r, (at(0, -1.15, -0.3),), 0.45 * r, hair))
    elif style == 3:  # a woolly hat
        brim = [at(x, -0.6, z) for x, z in ((-0.75, 0), (0, 0.5), (0.75, 0), (0, -0.5))]
        parts += [
            (0.45 * r, (at(-0.35, -0.8, 0), at(0.35, -0.8, 0)), 0.6 * r, hat),
            (0.5 * r, brim, 0.24 * r, tuple(int(0.8 * v) for v in hat)),
            (0.5 * r, (at(0, -1.5, 0),), 0.25 * r, (250, 250, 245)),
        ]
    return parts


# Paint


def rgb(code: str) -> tuple[int, int, int]:
    return tuple(int(code[i : i + 2], 16) for i in (1, 3, 5))


def paint(image: Image.Image, owners: Image.Image, strokes: list[Stroke], owner: int) -> None:
    """Paints strokes with a dark rim, and writes `owner` into the same pixels of `owners`."""
    picture, mask = ImageDraw.Draw(image), ImageDraw.Draw(owners)
    for stroke in strokes:
        points, radii = stroke.points * SUPERSAMPLE + 0.5, stroke.radii * SUPERSAMPLE
        dark = tuple(int(0.7 * v) for v in stroke.colour)
        rim = np.minimum(0.25 * radii, 0.6 * SUPERSAMPLE + 0.1 * radii)
        _blob(picture, points, radii, dark)
        _blob(picture, points - 0.4 * rim[:, None], radii - rim, stroke.colour)
        _blob(mask, stroke.points, stroke.radii, owner)


def _blob(draw: ImageDraw.ImageDraw, points: np.ndarray, radii: np.ndarray, colour) -> None:
    """Fills the outline through `points`, widened by `radii`."""
    for (x, y), r in zip(points.tolist(), radii.tolist(), strict=True):
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    if len(points) > 2:
        draw.polygon(points.ravel().tolist(), fill=colour)
    for i in range(len(points) if len(points) > 2 else len(points) - 1):
        j = (i + 1) % len(points)
        along = points[j] - points[i]
        normal = np.array((-along[1], along[0])) / (np.hypot(*along) + 1e-6)
        corners = (
            points[i] + normal * radii[i],
            points[j] + normal * radii[j],
            points[j] - normal * radii[j],
            points[i] - normal * radii[i],
        )
        draw.polygon(np.ravel(corners).tolist(), fill=colour)


def draw_thing(rng: np.random.Generator, spot: tuple[float, float], tall: float) -> list[Stroke]:
    """A ball, bush, crate or post that stands in front of somebody."""
    kind, colour = rng.integers(4), rgb(rng.choice(CLOTHES))
    base = np.array(spot)

    def stroke(points: list, radii: float, colour: tuple[int, int, int]) -> Stroke:
        placed = np.asarray(points) * tall + base
        return Stroke(0.0, placed, np.full(len(placed), radii * tall), colour)

    if kind == 0:
        return [stroke([(0, -0.1)], 0.1, colour), stroke([(-0.03, -0.13)], 0.03, (255, 255, 255))]
    if kind == 1:
        leaves = rng.uniform((-0.16, -0.2), (0.16, -0.03), (9, 2))
        greens = rng.integers((40, 110, 40), (90, 170, 80), (9, 3))
        return [
            stroke([p], 0.07, tuple(int(v) for v in g)) for p, g in zip(leaves, greens, strict=True)
        ]
    if kind == 2:
        wood, plank = (176, 124, 72), (140, 92, 50)
        frame = [(-0.13, -0.24), (0.13, -0.24), (0.13, -0.01), (-0.13, -0.01)]
        return [
            stroke(frame, 0.012, wood),
            stroke(frame[::2], 0.012, plank),
            *(stroke([frame[i], frame[i - 1]], 0.012, plank) for i in range(4)),
        ]
    return [
        stroke([(0, -1.1), (0, 0)], 0.014, (70, 75, 85)),
        stroke([(0, -1.1)], 0.045, (255, 236, 170)),
    ]
