"""Keypoints of people, animals, faces and hands as a `Task`."""

from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.tasks.pose.draw import pose_picture
from hrnet_tf.tasks.pose.inside import crop_picture, heatmap_picture
from hrnet_tf.tasks.pose.options import FollowOptions, PoseOptions
from hrnet_tf.tasks.pose.predictor import PosePredictor
from hrnet_tf.tasks.pose.results import coco_result, write_csv, write_npz
from hrnet_tf.tasks.pose.track import OneEuro, Tracking
from hrnet_tf.tasks.task import Task


def predictor(network, card: PoseCard, options: PoseOptions) -> PosePredictor:
    """The predictor for a network with these options."""
    card = card.with_codec(options.codec, options.blur_kernel)
    return PosePredictor(network, card, options.flip, options.batch_size, inside=options.inside)


def follow(predictor, source, folder, options: FollowOptions, **given) -> dict:
    """Follows people through a video; see `follow.predict_video`, which needs PyAV."""
    try:
        from hrnet_tf.tasks.pose.follow import predict_video
    except ImportError as error:
        raise OSError(f"{source} needs PyAV: pip install av.") from error
    smoothing = OneEuro() if options.smooth else None
    settings = Tracking(detect_every=options.detect_every, smoothing=smoothing)
    return predict_video(predictor, source, folder, settings=settings, show=options.show, **given)


TASK = Task(
    card=PoseCard,
    options=PoseOptions,
    predictor=predictor,
    records=lambda name, image_id, poses, card: [coco_result(image_id, pose) for pose in poses],
    draw=lambda image, poses, card: [pose_picture(image, poses, card.keypoints)],
    suffixes=(".jpg",),
    counted="persons",
    tables={"csv": write_csv, "npz": write_npz},
    views={"crop": ("crops", crop_picture), "heatmaps": ("heatmaps", heatmap_picture)},
    view_options={"inside": True},
    wants_boxes=True,
    follow=follow,
)
