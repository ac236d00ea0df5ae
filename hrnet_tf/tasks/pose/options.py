"""What can be told to `predict` for poses: data without Keras, so that `--help` answers at once."""

from dataclasses import dataclass, field

CODECS = ("msra", "dark", "udp", "udp_combined", "face")  # keys of `cards.pose.CODECS`


@dataclass(frozen=True)
class PoseOptions:
    """How poses are found.

    Attributes:
        codec: decoder, instead of the model's.
        blur_kernel: kernel of the dark and udp codecs.
        batch_size: crops per call of the network.
        flip: average with the mirrored picture.
        inside: poses carry their crop and heat maps.
    """

    codec: str | None = field(default=None, metadata={"choices": CODECS})
    blur_kernel: int | None = field(default=None, metadata={"least": 1})
    batch_size: int = field(default=16, metadata={"least": 1})
    flip: bool = False
    inside: bool = field(default=False, metadata={"flag": False})


@dataclass(frozen=True)
class PoseFiles:
    """What is written besides pictures and `results.json`.

    Attributes:
        csv: also results.csv, a line per person or object.
        npz: also results.npz, NumPy arrays.
        crop: also crops/: each person as the network saw it.
        heatmaps: also heatmaps/: the heat maps of each person.
    """

    csv: bool = False
    npz: bool = False
    crop: bool = False
    heatmaps: bool = False


@dataclass(frozen=True)
class FollowOptions:
    """How people are followed through videos.

    Attributes:
        detect_every: video: frames from one detection to the next.
        smooth: video: smooth the joints over time.
        show: video: show it in a window while it is predicted (default: cameras, where
            there is a screen).
    """

    detect_every: int = field(default=30, metadata={"least": 1})
    smooth: bool = True
    show: bool | None = None


OPTIONS, FILES, VIDEO, WANTS_BOXES = PoseOptions, PoseFiles, FollowOptions, True
