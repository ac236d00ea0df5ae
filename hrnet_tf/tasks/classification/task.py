"""The class of a picture as a `Task`."""

from hrnet_tf.cards.classification import ClassificationCard
from hrnet_tf.tasks.classification.options import ClassificationOptions
from hrnet_tf.tasks.classification.predictor import ImageClassifier
from hrnet_tf.tasks.task import Task


def predictor(network, card: ClassificationCard, options: ClassificationOptions):
    """The predictor for a network with these options."""
    return ImageClassifier(network, card, top=options.top, batch_size=options.batch_size)


def records(name: str, image_id: int, predictions: list, card: ClassificationCard) -> list[dict]:
    """The record of a picture: its most probable classes, probabilities rounded to six digits."""
    rounded = (each._replace(probability=round(each.probability, 6)) for each in predictions)
    return [{"predictions": [each._asdict() for each in rounded]}]


TASK = Task(
    card=ClassificationCard, options=ClassificationOptions, predictor=predictor, records=records
)
