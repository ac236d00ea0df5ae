"""The class of each pixel as a `Task`."""

from PIL import Image

from hrnet_tf.cards.segmentation import SegmentationCard
from hrnet_tf.tasks.segmentation.draw import draw_classes, label_picture
from hrnet_tf.tasks.segmentation.options import SegmentationOptions
from hrnet_tf.tasks.segmentation.predictor import SegmentationPredictor
from hrnet_tf.tasks.segmentation.results import class_shares
from hrnet_tf.tasks.task import Task


def predictor(network, card: SegmentationCard, options: SegmentationOptions):
    """The predictor for a network with these options."""
    return SegmentationPredictor(network, card, scales=options.scales, flip=options.flip)


def draw(image, labels, card: SegmentationCard) -> list[Image.Image]:
    """The picture under the classes' colours, and a picture whose pixel values are the classes."""
    drawn = draw_classes(image, labels, card.classes, card.palette)
    return [Image.fromarray(drawn), label_picture(labels, card.palette)]


TASK = Task(
    card=SegmentationCard,
    options=SegmentationOptions,
    predictor=predictor,
    records=class_shares,
    draw=draw,
    suffixes=(".jpg", ".png"),
)
