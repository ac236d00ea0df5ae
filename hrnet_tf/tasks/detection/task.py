"""Objects with boxes, classes and masks as a `Task`."""

from hrnet_tf.cards.detection import DetectionCard
from hrnet_tf.names import did_you_mean
from hrnet_tf.tasks.detection.draw import draw_detections
from hrnet_tf.tasks.detection.options import DetectionOptions, FollowOptions
from hrnet_tf.tasks.detection.predictor import DetectionPredictor
from hrnet_tf.tasks.detection.results import coco_results, write_csv
from hrnet_tf.tasks.task import Task


def predictor(network, card: DetectionCard, options: DetectionOptions):
    """The predictor for a network with these options; raises ValueError for an unknown class."""
    for name in options.classes or ():
        if name not in card.classes:
            raise ValueError(
                f"`classes` must be names of {card.label_set}. Received: {name!r}."
                f"{did_you_mean(name, card.classes)}"
            )
    return DetectionPredictor(
        network,
        card,
        score_threshold=options.score_threshold,
        classes=options.classes,
        most=options.most,
        masks=options.masks,
    )


def draw(image, found, card: DetectionCard, draw_threshold: float = 0.3) -> list:
    """The picture with its objects of at least this score."""
    return [draw_detections(image, found, card.classes, draw_threshold)]


def follow(predictor, source, folder, options: FollowOptions, **given) -> dict:
    """Follows objects through a video; see `follow.predict_video`, which needs PyAV."""
    try:
        from hrnet_tf.tasks.detection.follow import predict_video
    except ImportError as error:
        raise OSError(f"{source} needs PyAV: pip install av.") from error
    return predict_video(predictor, source, folder, show=options.show, **given)


def parts(model, card: DetectionCard) -> dict:
    """The parts of a detector; see `regions.divided`."""
    from hrnet_tf.tasks.detection.regions import divided

    return divided(model, card)


TASK = Task(
    card=DetectionCard,
    options=DetectionOptions,
    predictor=predictor,
    records=lambda name, image_id, found, card: coco_results(image_id, found, card),
    draw=draw,
    suffixes=(".jpg",),
    counted="objects",
    tables={"csv": write_csv},
    follow=follow,
    parts=parts,
)
