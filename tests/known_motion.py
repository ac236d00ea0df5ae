"""Videos whose motion is known: photos moved by matrices."""

import json
from fractions import Fraction

import numpy as np
from PIL import Image

from hrnet_tf.media.video import VideoWriter

RATE = 30


def similarity(zoom=1.0, degrees=0.0, shift=(0.0, 0.0), center=(0.0, 0.0)):
    """The (2, 3) matrix that zooms and turns about `center`, then shifts."""
    angle = np.deg2rad(degrees)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([turn, np.subtract(np.add(center, shift), turn @ center)])


def warp(image, matrix, size):
    """A Pillow image moved by a matrix, on a canvas of (width, height); black or clear outside."""
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    # Pillow's coordinates start at the corner of a pixel, ours at its centre.
    inverse[:2, 2] += 0.5 - inverse[:2, :2] @ [0.5, 0.5]
    return image.transform(size, Image.Transform.AFFINE, inverse[:2].ravel(), Image.BICUBIC)


def moved_box(box, matrix):
    """The box (x, y, w, h) around a box that moved."""
    x, y, w, h = box
    corners = np.array([[x, y], [x + w, y], [x, y + h], [x + w, y + h]])
    corners = corners @ matrix[:, :2].T + matrix[:, 2]
    low, high = corners.min(axis=0), corners.max(axis=0)
    return np.concatenate([low, high - low])


def noisy(image, sigma, seed):
    """The image with the noise of a camera, other in each frame."""
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(np.round(image + noise), 0, 255).astype(np.uint8)


def annotated(folder, file_name, least=8):
    """(path, annotations of the people with keypoints, largest first) of a photo of COCO."""
    path = folder / "annotations" / "person_keypoints_val2017.json"
    content = json.loads(path.read_text())
    image_id = next(i["id"] for i in content["images"] if i["file_name"] == file_name)
    people = [
        a
        for a in content["annotations"]
        if a["image_id"] == image_id and a["num_keypoints"] >= least
    ]
    people.sort(key=lambda a: -a["area"])
    return folder / "val2017" / file_name, people


def write_video(path, images, rate=RATE):
    """Frames at a constant rate."""
    writer = VideoWriter(path, Fraction(rate))
    for index, image in enumerate(images):
        writer.write(image, index / rate)
    writer.close()
