"""The keypoint sets of the published data sets, each with the source of its facts."""

from itertools import pairwise

from hrnet_tf.labels.keypoints import (
    FACE,
    FINGERS,
    LEFT,
    RIGHT,
    KeypointSet,
    keypoint_set,
    line_color,
    pairs_by_name,
    side_color,
)


def _names(text):
    return tuple(text.split())


def _edges(text):
    """Pairs of ids from "15-13 13-11"."""
    pairs = (edge.split("-") for edge in text.split())
    return tuple((int(a), int(b)) for a, b in pairs)


def _sigmas(text):
    """Sigmas from a text that gives them in thousandths."""
    return tuple(int(number) / 1000 for number in text.split())


def _mirror(*runs, start=0):
    """Flip pairs (a, b), (a + 1, b - 1), … of runs (a, b, length)."""
    return tuple((start + a + i, start + b - i) for a, b, length in runs for i in range(length))


def _face(name, count, flip_pairs, source):
    """A face: numbered points without lines, as in the annotation files."""
    names = tuple(f"face_{i}" for i in range(count))
    source += "; pairs of lib/utils/transforms.py (HRNet-Facial-Landmark-Detection)"
    return KeypointSet(name, names, flip_pairs, (), (), (FACE,) * count, None, (), source)


def _fingers(root):
    """Lines from the wrist `root` along five fingers of four points each."""
    chains = [(root, i, i + 1, i + 2, i + 3) for i in range(root + 1, root + 21, 4)]
    return tuple(edge for chain in chains for edge in pairwise(chain))


_FINGER_NAMES = tuple(
    f"{finger}{joint}"
    for finger in ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
    for joint in range(1, 5)
)

_FINGER_COLORS = tuple(color for color in FINGERS for _ in range(4))

_MMPOSE = "of OpenMMLab's mmpose (configs/_base_/datasets)"

_HRNET = "(leoxiaobin/deep-high-resolution-net.pytorch)"

COCO = keypoint_set(
    name="coco",
    names=_names(
        "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow "
        "right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle "
        "right_ankle"
    ),
    skeleton=_edges(
        "15-13 13-11 16-14 14-12 11-12 5-11 6-12 5-6 5-7 6-8 7-9 8-10 1-2 0-1 0-2 1-3 2-4 3-5 4-6"
    ),
    sigmas=_sigmas("26 25 25 35 35 79 79 72 72 62 62 107 107 87 87 89 89"),
    upper_body=tuple(range(11)),
    source="Lin et al. ECCV 2014: names and skeleton of person_keypoints_val2017.json, sigmas of "
    f"pycocotools, upper body of lib/dataset/coco.py {_HRNET}",
)

COCO_AIC = keypoint_set(
    name="coco_aic",
    names=(*COCO.names, "head_top", "neck"),
    skeleton=(*COCO.skeleton, (17, 18)),
    sigmas=(*COCO.sigmas, 0.026, 0.026),
    upper_body=(*COCO.upper_body, 17, 18),
    source=f"COCO's keypoints and two of AI Challenger (Wu et al. 2017): coco_aic.py {_MMPOSE}",
)

MPII = keypoint_set(
    name="mpii",
    names=_names(
        "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax upper_neck "
        "head_top right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist"
    ),
    skeleton=_edges("0-1 1-2 2-6 6-3 3-4 4-5 6-7 7-8 8-9 8-12 12-11 11-10 8-13 13-14 14-15"),
    sigmas=None,  # MPII is scored by PCKh
    upper_body=tuple(range(7, 16)),
    source=f"Andriluka et al. CVPR 2014: pairs and upper body of lib/dataset/mpii.py {_HRNET}, "
    f"skeleton of mpii.py {_MMPOSE}",
)

CROWDPOSE = keypoint_set(
    name="crowdpose",
    names=_names(
        "left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_hip "
        "right_hip left_knee right_knee left_ankle right_ankle head neck"
    ),
    skeleton=_edges("10-8 8-6 11-9 9-7 6-7 0-6 1-7 0-1 0-2 1-3 2-4 3-5 12-13 1-13 0-13"),
    sigmas=_sigmas("79 79 72 72 62 62 107 107 87 87 89 89 79 79"),
    upper_body=(0, 1, 2, 3, 4, 5, 12, 13),
    source="Li et al. CVPR 2019: names of its annotation files; skeleton and sigmas of "
    f"crowdpose.py {_MMPOSE}",
)

AP10K = keypoint_set(
    name="ap10k",
    names=_names(
        "left_eye right_eye nose neck tail_root left_shoulder left_elbow left_front_paw "
        "right_shoulder right_elbow right_front_paw left_hip left_knee left_back_paw right_hip "
        "right_knee right_back_paw"
    ),
    skeleton=_edges(
        "0-1 0-2 1-2 2-3 3-4 3-5 5-6 6-7 3-8 8-9 9-10 4-11 11-12 12-13 4-14 14-15 15-16"
    ),
    sigmas=_sigmas("25 25 26 35 35 79 72 62 79 72 62 107 87 89 107 87 89"),
    # Head and both forelegs; mmpose's table leaves one front paw out.
    upper_body=(0, 1, 2, 3, 5, 6, 7, 8, 9, 10),
    source="Yu et al. NeurIPS 2021: order of its README; skeleton and sigmas of "
    f"ap10k.py {_MMPOSE}",
)

HAND21 = KeypointSet(
    name="hand21",
    names=("wrist", *_FINGER_NAMES),
    flip_pairs=(),  # a mirrored hand has the same points
    skeleton=_fingers(0),
    colors=_FINGER_COLORS,
    point_colors=(FACE, *_FINGER_COLORS),
    sigmas=None,
    upper_body=(),
    source="OneHand10K (Wang et al. TCSVT 2018): names and skeleton of onehand10k.py " + _MMPOSE,
)

_FACE_68 = ((0, 16, 8), (17, 26, 5), (31, 35, 2), (36, 45, 4), (40, 47, 2))

_FACE_68 += ((48, 54, 3), (55, 59, 2), (60, 64, 2), (65, 67, 1))

FACE_300W = _face("300w", 68, _mirror(*_FACE_68), "Sagonas et al. IVC 2016")

AFLW = _face(
    "aflw",
    19,
    _mirror((0, 5, 3), (6, 11, 3), (12, 14, 1), (15, 17, 1)),
    "Koestinger et al. ICCVW 2011",
)

COFW = _face(
    "cofw",
    29,
    _edges("0-1 2-3 4-6 5-7 8-9 10-11 12-14 13-15 16-17 18-19 22-23"),
    "Burgos-Artizzu et al. ICCV 2013",
)

_CONTOUR_BROWS_NOSE = ((0, 32, 16), (33, 46, 5), (38, 50, 4), (55, 59, 2))

_EYES = ((60, 72, 5), (65, 75, 3), (96, 97, 1))

_MOUTH = ((76, 82, 3), (83, 87, 2), (88, 92, 2), (93, 95, 1))

WFLW = _face("wflw", 98, _mirror(*_CONTOUR_BROWS_NOSE, *_EYES, *_MOUTH), "Wu et al. CVPR 2018")

_FOOT_SIGMAS = _sigmas("68 66 66 92 94 94")

_FACE_SIGMAS = _sigmas(
    "42 43 44 43 40 35 31 25 20 23 29 32 37 38 43 41 45 13 12 11 11 12 12 11 11 13 15 9 7 7 7 12 9 "
    "8 16 10 17 11 9 11 9 7 13 8 11 12 10 34 8 8 9 8 8 7 10 8 9 9 9 7 7 8 11 8 8 8 10 8"
)

_HAND_SIGMAS = _sigmas("29 22 35 37 47 26 25 24 35 18 24 22 26 17 21 21 32 20 19 22 31")


def _both(parts):
    return tuple(f"{side}_{part}" for side in ("left", "right") for part in parts)


def _whole_body():
    feet = _both(("big_toe", "small_toe", "heel"))
    hands = _both(("hand_root", *_FINGER_NAMES))
    names = (*COCO.names, *feet, *FACE_300W.names, *hands)
    body = (*COCO.skeleton, *_edges("15-17 15-18 15-19 16-20 16-21 16-22"))
    points = tuple(side_color(name) for name in names[:23])
    return KeypointSet(
        name="coco_wholebody",
        names=names,
        flip_pairs=pairs_by_name(names) + _mirror(*_FACE_68, start=23),
        skeleton=(*body, *_fingers(91), *_fingers(112)),
        colors=(*(line_color(names[a], names[b]) for a, b in body), *_FINGER_COLORS * 2),
        point_colors=(*points, *(FACE,) * 68, LEFT, *_FINGER_COLORS, RIGHT, *_FINGER_COLORS),
        sigmas=(*COCO.sigmas, *_FOOT_SIGMAS, *_FACE_SIGMAS, *_HAND_SIGMAS * 2),
        # Face and hands belong to the upper half: a lower half with a face would make no sense.
        upper_body=(*COCO.upper_body, *range(23, 133)),
        source="Jin et al. ECCV 2020: body, feet, face, left hand, right hand in the order of its "
        f"annotation files; skeleton and sigmas of coco_wholebody.py {_MMPOSE}",
    )


COCO_WHOLEBODY = _whole_body()

_BODIES = (COCO, COCO_WHOLEBODY, COCO_AIC, MPII, CROWDPOSE, AP10K)

_PARTS = (HAND21, FACE_300W, AFLW, COFW, WFLW)

KEYPOINT_SETS: dict[str, KeypointSet] = {each.name: each for each in (*_BODIES, *_PARTS)}
