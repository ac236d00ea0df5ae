"""What `fit` trains: a detector together with its losses.

The losses of a detector depend on all of its outputs, and those of regions on boxes that the
network itself proposes. So both kinds are models with the layers of the plain network, which is
what gets saved, and `compute_loss` of their own. Divisors are counted over all devices.
"""

import keras
import tensorflow as tf

from hrnet_tf.networks.detection import BOX_SIZE, HEADS, MASK_SIZE, STRIDES, split
from hrnet_tf.networks.heads.semantic import STRIDE
from hrnet_tf.training.detection import losses
from hrnet_tf.training.detection.pool import mask_targets, pool
from hrnet_tf.training.detection.recipe import DetectionRecipe
from hrnet_tf.training.detection.region_losses import (
    SHARE,
    Truth,
    box_losses,
    mask_loss,
    regions,
    rpn_losses,
    sampled_regions,
    semantic_loss,
    settings_of,
)
from hrnet_tf.training.detection.stages import refined


def trainee(network: keras.Model, recipe: DetectionRecipe) -> keras.Model:
    """The model that `fit` trains in place of a network, with the same weights."""
    kind = RegionsTrainee if HEADS[recipe.head].stages else PointsTrainee
    return kind(network, recipe)


def total(number: tf.Tensor) -> tf.Tensor:
    """The sum of a number over all devices."""
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return number
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, number)


class PointsTrainee(keras.Model):
    """FCOS with its losses."""

    def __init__(self, network: keras.Model, recipe: DetectionRecipe):
        super().__init__(inputs=network.inputs[0], outputs=network.output, name="trainee")
        self.fixed, self.levels = recipe.fixed_statistics, HEADS[recipe.head].levels

    def call(self, inputs, training=None, mask=None):
        """The network's outputs."""
        return super().call(inputs, training=bool(training) and not self.fixed, mask=mask)

    def losses_of(self, outputs, targets, weights) -> dict[str, tf.Tensor]:
        """The losses by name, for targets of `batches`."""
        found = []
        for kind in ("class_logits", "log_distances", "centerness"):
            maps = [outputs[f"{kind}_P{level}"] for level in self.levels]
            found.append(tf.concat([_rows(each) for each in maps], axis=1))
        logits, distances, centers = found
        names = ("point_classes", "distances", "centerness")
        truth = [
            tf.reshape(targets[name], (-1, 4) if name == "distances" else (-1,)) for name in names
        ]
        every = tf.repeat(tf.cast(weights, tf.float32), tf.shape(logits)[1])
        flat = (tf.reshape(each, (-1, each.shape[-1])) for each in (logits, distances))
        centers = tf.reshape(centers, (-1,))
        return losses.fcos_losses(*flat, centers, *truth, every, total)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The sum of all losses; see `keras.Model.compute_loss`."""
        return sum(self.losses_of(y_pred, y, _weights(sample_weight, y)).values())


def _rows(x):
    return tf.reshape(x, (tf.shape(x)[0], -1, x.shape[-1]))


def _weights(sample_weight, targets):
    ones = tf.ones(tf.shape(targets["size"])[0])
    return ones if sample_weight is None else tf.cast(sample_weight, tf.float32)


class RegionsTrainee(keras.Model):
    """A detector with regions, with its losses."""

    def __init__(self, network: keras.Model, recipe: DetectionRecipe):
        super().__init__(inputs=network.input, outputs=network.output, name="trainee")
        self.fixed, self.head = recipe.fixed_statistics, recipe.head
        self.settings = settings_of(recipe)
        self.keys = None  # tests choose samples
        # Keras does not track this: the layers are this model's already.
        parts = split(network)
        if self.head == "htc":
            logits = {"semantic_logits": network.output["semantic_logits"]}
            image = keras.Model(network.input["image"], {**parts.image.output, **logits})
            parts = parts._replace(image=image)
        self.__dict__["parts"] = parts

    def call(self, inputs, training=None, mask=None):
        """The maps of the image."""
        training = bool(training) and not self.fixed
        return self.parts.image(inputs["image"], training=training)

    def losses_of(self, outputs, targets, weights) -> dict[str, tf.Tensor]:
        """The losses by name, for targets of `batches`."""
        settings = self.settings
        truth = Truth(
            targets["objects"],
            targets["classes"],
            targets["size"],
            weights,
            targets["seed"],
            targets.get("masks"),
            self.keys,
            total,
        )
        maps = [
            (outputs[f"objectness_P{level}"], outputs[f"anchor_deltas_P{level}"])
            for level in HEADS[self.head].levels
        ]
        found = rpn_losses(maps, truth, settings)
        if "semantic" in targets:
            found["semantic"] = semantic_loss(outputs["semantic_logits"], targets["semantic"])
        boxes, usable = regions(maps, truth, settings)
        for stage in range(HEADS[self.head].stages):
            rule = settings.rules[stage]
            boxes, sampled = sampled_regions(
                boxes, usable, truth, rule, f"stage {stage}", settings.regions
            )
            logits, deltas = self._boxes(outputs, boxes, stage)
            each = box_losses(logits, deltas, boxes, sampled, truth, stage, settings)
            count = targets["objects"].shape[1]
            if truth.masks is not None and self.head != "htc":
                each["mask"] = self._masks(outputs, boxes, sampled, truth, targets, stage)
            if deltas.shape[-1] == 4:  # Cascade and HTC hand the boxes on
                boxes, usable = refined(boxes, deltas, sampled, truth.size, count, stage)
            if truth.masks is not None and self.head == "htc":
                # HTC trains masks on the boxes that this stage has found, sampled again.
                again = sampled_regions(
                    boxes, usable, truth, rule, f"masks {stage}", settings.regions
                )
                each["mask"] = self._masks(outputs, *again, truth, targets, stage)
            if "mask" in each:
                each["mask"] *= settings.weights[stage]
            found |= {f"{name}_{stage + 1}": loss for name, loss in each.items()}
        return found

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The sum of all losses; see `keras.Model.compute_loss`."""
        return sum(self.losses_of(y_pred, y, _weights(sample_weight, y)).values())

    def _pooled(self, outputs, boxes, size):
        """The inputs of heads for boxes (B, R, 4)."""
        boxes = tf.stop_gradient(boxes)
        maps = [outputs[f"P{level}"] for level in range(2, 6)]
        found = {"regions": pool(maps, boxes, size, STRIDES)}
        if "semantic" in outputs:
            found["semantic"] = pool([outputs["semantic"]], boxes, MASK_SIZE, [STRIDE])
        return found

    def _boxes(self, outputs, boxes, stage):
        head, shape = self.parts.boxes[stage], tf.shape(boxes)
        found = head(self._pooled(outputs, boxes, BOX_SIZE))
        kinds = (f"class_logits_{stage + 1}", f"box_deltas_{stage + 1}")
        return [
            tf.reshape(found[kind], (shape[0], shape[1], found[kind].shape[-1])) for kind in kinds
        ]

    def _masks(self, outputs, boxes, sampled, truth, targets, stage):
        """The loss of the masks of the objects among the sampled boxes, which come first."""
        most = min(int(self.settings.regions * SHARE), boxes.shape[1])
        boxes, objects = boxes[:, :most], sampled.objects[:, :most]
        own = tf.maximum(objects, 0)
        positive = (objects >= 0) & tf.gather(targets["masked"], own, batch_dims=1)
        found = self.parts.masks(self._pooled(outputs, boxes, MASK_SIZE))
        logits = found[f"mask_logits_{stage + 1}"]

        def one(row):
            return mask_targets(truth.masks[row], own[row], boxes[row], logits.shape[1])

        wanted = tf.map_fn(one, tf.range(tf.shape(boxes)[0]), fn_output_signature=tf.float32)
        classes = tf.reshape(tf.gather(truth.classes, own, batch_dims=1), (-1,))
        wanted = tf.reshape(tf.stop_gradient(wanted), tf.shape(logits)[:3])
        return mask_loss(logits, wanted, classes, tf.reshape(positive, (-1,)), truth)
