"""Losses of detectors with regions: of the RPN, and of the heads of every stage.

mmdetection's `RPNHead.loss_by_feat`, `BBoxHead.loss_and_target`, `FCNMaskHead.loss_and_target`.
Which boxes are sampled is a matter of keys (see `sample`); all shapes are static.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import tensorflow as tf

from hrnet_tf.labels.label_values import IGNORED
from hrnet_tf.networks.detection import HEADS
from hrnet_tf.tasks.detection.anchors import anchors
from hrnet_tf.tasks.detection.deltas import RPN_STDS, STAGE_STDS, encode
from hrnet_tf.tasks.detection.proposals import proposals
from hrnet_tf.training.detection.assign import RPN, UNUSED, Rule, assign, usable_anchors
from hrnet_tf.training.detection.losses import sigmoid_sum, smooth_l1_sum, softmax_sum
from hrnet_tf.training.detection.recipe import DetectionRecipe
from hrnet_tf.training.detection.sample import Keys, Sampled, sample

RPN_COUNT, RPN_SHARE = 256, 0.5
COUNT, SHARE = 512, 0.25
CANDIDATES = 2000  # anchors of a level that are decoded for proposals
SEMANTIC_WEIGHT = 0.2
SHORTEST = 1e-3  # pixels: sides below are no boxes


@dataclass(frozen=True)
class Settings:
    """How mmdetection trains a head with regions.

    Attributes:
        rules: the IoUs of each stage's objects.
        beta: of the smooth L1 loss of boxes; 0: L1.
        rpn_beta: of the RPN's.
        inside: whether anchors must lie within the image.
        proposals: highest number of regions of an image.
        weights: of the losses of each stage.
        regions: number of an image's regions that each stage is trained on.
    """

    rules: tuple[Rule, ...]
    beta: float = 0.0
    rpn_beta: float = 0.0
    inside: bool = False
    proposals: int = 1000
    weights: tuple[float, ...] = (1.0,)
    regions: int = COUNT


def _cascade(low_quality: bool) -> Settings:
    ious = (0.5, 0.6, 0.7)
    rules = tuple(Rule(iou, iou, iou if low_quality else None) for iou in ious)
    return Settings(rules, 1.0, 1 / 9, True, 2000, (1.0, 0.5, 0.25))


SETTINGS: Mapping[str, Settings] = {
    "faster_rcnn": Settings((Rule(0.5, 0.5),)),
    "mask_rcnn": Settings((Rule(0.5, 0.5, 0.5),)),
    "cascade_rcnn": _cascade(False),
    "cascade_mask_rcnn": _cascade(False),
    "htc": _cascade(True),
}


def settings_of(recipe: DetectionRecipe) -> Settings:
    """How a recipe trains its head with regions."""
    settings = SETTINGS[recipe.head]
    most = recipe.proposals or settings.proposals
    return replace(settings, proposals=most, regions=recipe.regions)


assert SETTINGS.keys() == {head for head, kind in HEADS.items() if kind.stages}


@dataclass(frozen=True, eq=False)
class Truth:
    """The objects of a batch of images.

    Attributes:
        objects: (B, M, 4) x1, y1, x2, y2 in pixels of the network's input, padded with zeros.
        classes: (B, M) int32.
        size: (B, 2) int32, height and width of the images without their padding.
        seen: (B,) float32; 0 for images that could not be read, which do not count.
        seed: (B, 2) int32, for the samples of each image.
        masks: (B, M, H, W / 8) uint8 bits, or None.
        keys: how boxes are chosen; random if None.
        total: sums a number over all devices.
    """

    objects: tf.Tensor
    classes: tf.Tensor
    size: tf.Tensor
    seen: tf.Tensor
    seed: tf.Tensor
    masks: tf.Tensor | None = None
    keys: Keys | None = None
    total: Callable[[tf.Tensor], tf.Tensor] = field(default=tf.identity)

    def chosen(self, row: int, assigned: tf.Tensor, count: int, share: float, name: str) -> Sampled:
        """A sample of an image's boxes; `name` makes draws of one image differ."""
        if self.keys is not None:
            keys = self.keys(assigned, count, share, name)
        else:
            number = sum(map(ord, name))
            seed = self.seed[row] + tf.constant((0, number), tf.int32)
            keys = tf.random.stateless_uniform(tf.shape(assigned), seed)
        return sample(assigned, keys, count, share)


def _each(function, count, signature):
    """Calls a function with every index of an image."""
    return tf.map_fn(function, tf.range(count), fn_output_signature=signature)


SIGNATURE = Sampled(tf.int32, tf.int32, tf.bool)


def rpn_losses(maps: list[tuple], truth: Truth, settings: Settings) -> dict[str, tf.Tensor]:
    """The losses of the RPN.

    Args:
        maps: for strides 4, 8, 16, … objectness (B, h, w, 3) and deltas (B, h, w, 12).
        truth: the objects.
        settings: of the head.

    Returns:
        "rpn_class" and "rpn_box", scalars.
    """
    places, levels = [], []
    for i, (scores, _) in enumerate(maps):
        height, width = scores.shape[1:3]
        places.append(anchors(height, width, 4 * 2**i))
        levels.append((4 * 2**i, width))
    everywhere = tf.concat(places, axis=0)
    batch = tf.shape(maps[0][0])[0]

    def targets(row):
        usable = [
            usable_anchors(tf.constant(each), truth.size[row], *level, settings.inside)
            for each, level in zip(places, levels, strict=True)
        ]
        assigned = assign(truth.objects[row], everywhere, tf.concat(usable, 0), RPN)
        return truth.chosen(row, assigned, RPN_COUNT, RPN_SHARE, "rpn")

    found = Sampled(*map(tf.stop_gradient, _each(targets, batch, SIGNATURE)))
    flat = [
        tf.concat([tf.reshape(level[i], (batch, -1, (1, 4)[i])) for level in maps], axis=1)
        for i in (0, 1)
    ]
    logits, deltas = (tf.gather(each, found.rows, batch_dims=1) for each in flat)
    counts = tf.cast(found.used, tf.float32) * truth.seen[:, None]
    positive = tf.cast(found.positive, tf.float32) * counts
    negative = counts - positive
    number = sum(tf.maximum(tf.reduce_sum(each, axis=1), 1.0) for each in (positive, negative))
    number = truth.total(tf.reduce_sum(number * truth.seen))
    number = tf.maximum(number, 1.0)
    wanted = _deltas(tf.gather(everywhere, found.rows), found, truth, RPN_STDS)
    box = smooth_l1_sum(deltas, wanted, positive[..., None], settings.rpn_beta)
    return {
        "rpn_class": sigmoid_sum(logits[..., 0], positive, counts) / number,
        "rpn_box": box / number,
    }


def _deltas(boxes, found, truth, stds):
    """What deltas (B, S, 4) have to be; 0 where there is no object."""
    own = tf.gather(truth.objects, tf.maximum(found.objects, 0), batch_dims=1)
    positive = found.positive[..., None]
    unit = tf.constant((0.0, 0.0, 1.0, 1.0))
    pair = (tf.reshape(tf.where(positive, each, unit), (-1, 4)) for each in (boxes, own))
    return tf.reshape(encode(*pair, stds), tf.shape(boxes))


def regions(maps: list[tuple], truth: Truth, settings: Settings) -> tuple[tf.Tensor, tf.Tensor]:
    """The RPN's proposals, (B, `settings.proposals`, 4), and which are some (B, …) bool."""
    maps = [tuple(map(tf.stop_gradient, level)) for level in maps]
    most = settings.proposals

    def propose(row):
        own = [tuple(each[row] for each in level) for level in maps]
        size = tf.unstack(truth.size[row])
        boxes, _ = proposals(own, size, per_level=CANDIDATES, most=most)
        count = tf.shape(boxes)[0]
        boxes = tf.pad(boxes, ((0, most - count), (0, 0)))
        return tf.ensure_shape(boxes, (most, 4)), tf.range(most) < count

    batch = tf.shape(maps[0][0])[0]
    found = _each(propose, batch, (tf.float32, tf.bool))
    return tuple(map(tf.stop_gradient, found))


def sampled_regions(
    boxes: tf.Tensor, usable: tf.Tensor, truth: Truth, rule: Rule, name: str, count: int = COUNT
) -> tuple[tf.Tensor, Sampled]:
    """The regions to train a stage on, and what they are; objects are added as regions.

    Args:
        boxes: (B, R, 4).
        usable: (B, R) bool.
        truth: the objects.
        rule: of the stage.
        name: of the stage.
        count: highest number S of regions of an image.

    Returns:
        Boxes (B, S, 4), and a sample whose `rows` below M are the objects themselves.
    """
    sides = truth.objects[..., 2:] - truth.objects[..., :2]
    there = tf.reduce_all(sides > SHORTEST, axis=2)
    numbers = tf.range(1, tf.shape(truth.objects)[1] + 1)

    def targets(row):
        # Objects are theirs in any case, and the best box of an object is one of the others.
        own = tf.where(there[row], numbers, UNUSED)
        assigned = assign(truth.objects[row], boxes[row], usable[row], rule)
        assigned = tf.ensure_shape(tf.concat([own, assigned], axis=0), everything)
        return truth.chosen(row, assigned, count, SHARE, name)

    everything = truth.objects.shape[1] + boxes.shape[1]
    found = Sampled(*_each(targets, tf.shape(boxes)[0], SIGNATURE))
    used = found.used & (truth.seen > 0)[:, None]
    found = Sampled(found.rows, tf.where(used, found.objects, -1), used)
    boxes = tf.concat([truth.objects, boxes], axis=1)
    return tf.gather(boxes, found.rows, batch_dims=1), found


def box_losses(
    logits: tf.Tensor,
    deltas: tf.Tensor,
    boxes: tf.Tensor,
    found: Sampled,
    truth: Truth,
    stage: int,
    settings: Settings,
) -> dict[str, tf.Tensor]:
    """The losses of classes and boxes of a stage, counted from 0.

    Args:
        logits: (B, S, C + 1), the background last.
        deltas: (B, S, 4) or (B, S, 4 * C).
        boxes: (B, S, 4), the regions.
        found: what they are.
        truth: the objects.
        stage: number of the stage.
        settings: of the head.

    Returns:
        "class" and "box", scalars.
    """
    count = logits.shape[-1] - 1
    own = tf.gather(truth.classes, tf.maximum(found.objects, 0), batch_dims=1)
    classes = tf.where(found.positive, own, count)
    used = tf.cast(found.used, tf.float32)
    positive = tf.cast(found.positive, tf.float32)
    number = tf.maximum(truth.total(tf.reduce_sum(used)), 1.0)
    wanted = _deltas(boxes, found, truth, STAGE_STDS[stage])
    if deltas.shape[-1] > 4:
        shape = tf.shape(deltas)
        deltas = tf.reshape(deltas, (shape[0], shape[1], count, 4))
        deltas = tf.gather(deltas, tf.minimum(classes, count - 1), batch_dims=2)
    weight = settings.weights[stage]
    box = smooth_l1_sum(deltas, wanted, positive[..., None], settings.beta)
    return {
        "class": weight * softmax_sum(logits, classes, used) / number,
        "box": weight * box / number,
    }


def mask_loss(
    logits: tf.Tensor, targets: tf.Tensor, classes: tf.Tensor, positive: tf.Tensor, truth: Truth
) -> tf.Tensor:
    """The loss of masks, the mean over objects and pixels.

    Args:
        logits: (P, h, w, C).
        targets: (P, h, w) of 0 and 1.
        classes: (P,) int32.
        positive: (P,) bool, which are objects.
        truth: sums over devices.
    """
    own = tf.gather(tf.transpose(logits, (0, 3, 1, 2)), classes, batch_dims=1)
    weights = tf.cast(positive, tf.float32)
    number = tf.maximum(truth.total(tf.reduce_sum(weights)), 1.0)
    pixels = own.shape[1] * own.shape[2]
    return sigmoid_sum(own, targets, weights[:, None, None]) / (number * pixels)


def semantic_loss(logits: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    """The loss of HTC's semantic branch: cross-entropy, the mean over all pixels.

    Args:
        logits: (B, h, w, C).
        classes: (B, h, w) integers, 255 where there is none; such pixels have no loss.
    """
    classes = tf.cast(classes, tf.int32)
    known = classes != IGNORED
    classes = tf.where(known, classes, 0)
    found = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits)
    return SEMANTIC_WEIGHT * tf.reduce_mean(tf.where(known, found, 0.0))
