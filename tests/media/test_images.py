"""Reading pictures and boxes: what arrives, and what is said about what cannot."""

import json
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet_tf.media.find import find_images, find_inputs
from hrnet_tf.media.images import TURNS, picture_bytes, pixels, read_image
from hrnet_tf.tasks.detection.box_files import read_boxes

from made_pictures import deep_png, deep_tiff

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
SVG = "<svg xmlns='http://www.w3.org/2000/svg'/>"
RAMP = np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3)


def _pictures():
    """(name, picture, RGB of its left pixel, RGB of its right pixel)."""
    red, clear = (255, 0, 0, 255), (9, 9, 9, 0)
    rgba = Image.new("RGBA", (2, 1))
    rgba.putdata([red, clear])
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putdata([0, 1])
    grey_alpha = Image.new("LA", (2, 1))
    grey_alpha.putdata([(100, 255), (100, 51)])
    sixteen = Image.fromarray(np.array([[0x80FF, 0xFFFF]], np.uint16))
    return [
        ("grey.png", Image.fromarray(np.array([[7, 200]], np.uint8)), (7,) * 3, (200,) * 3),
        ("one_bit.png", Image.fromarray(np.array([[True, False]])), (255,) * 3, (0,) * 3),
        ("transparent.png", rgba, (255, 0, 0), (255, 255, 255)),
        ("grey_alpha.png", grey_alpha, (100,) * 3, (224,) * 3),
        ("palette.gif", palette, (255, 0, 0), (0, 0, 255)),
        ("sixteen_bits.png", sixteen, (128,) * 3, (255,) * 3),
        ("sixteen_bits.tif", sixteen, (128,) * 3, (255,) * 3),
    ]


@pytest.mark.parametrize(
    ("name", "picture", "left", "right"), _pictures(), ids=[row[0] for row in _pictures()]
)
def test_every_kind_of_pixel_becomes_rgb(tmp_path, name, picture, left, right):
    """Transparent lies on white; 16 bits are scaled, not clipped."""
    picture.save(tmp_path / name)
    image = read_image(tmp_path / name)
    assert image.dtype == np.uint8
    assert image.shape == (1, 2, 3)
    assert tuple(image[0, 0]) == left
    assert tuple(image[0, 1]) == right


def test_transparent_palette_colour_lies_on_white(tmp_path):
    picture = Image.new("P", (1, 1))
    picture.putpalette([255, 0, 0])
    picture.save(tmp_path / "x.png", transparency=0)
    assert read_image(tmp_path / "x.png").tolist() == [[[255, 255, 255]]]


def test_cmyk_jpeg_is_not_a_negative(tmp_path):
    """JPEGs store CMYK inverted, as Adobe does."""
    Image.new("CMYK", (32, 32), (0, 255, 255, 0)).save(tmp_path / "red.jpg")
    assert np.abs(read_image(tmp_path / "red.jpg")[16, 16].astype(int) - [255, 0, 0]).max() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_or_ignored(tmp_path, orientation):
    """`predict` shows the picture upright, COCO's annotations refer to the stored pixels."""
    turn = TURNS.get(orientation)
    undo = {Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270}
    undo |= {back: there for there, back in undo.items()}
    stored = Image.fromarray(RAMP)
    stored = stored if turn is None else stored.transpose(undo.get(turn, turn))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "x.png", exif=exif)
    assert (read_image(tmp_path / "x.png") == RAMP).all()
    assert (read_image(tmp_path / "x.png", apply_exif=False) == np.asarray(stored)).all()


def test_damaged_exif_does_not_spoil_the_picture(tmp_path):
    Image.fromarray(RAMP).save(tmp_path / "x.png", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert (read_image(tmp_path / "x.png") == RAMP).all()


def test_jpeg_pixels_equal_those_of_training(tmp_path):
    """The accurate DCT of libjpeg, as `tf.image.decode_jpeg(dct_method="INTEGER_ACCURATE")`."""
    import tensorflow as tf

    noise = np.random.default_rng(0).integers(0, 255, (61, 83, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((166, 122)).save(tmp_path / "x.jpg", quality=80)
    content = (tmp_path / "x.jpg").read_bytes()
    expected = tf.image.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE").numpy()
    assert (read_image(tmp_path / "x.jpg") == expected).all()


def _truncated_jpeg(path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:1500])


BAD_FILES = [
    ("empty.jpg", b"", "empty file"),
    ("notes.txt", b"remember the milk", "not a picture"),
    ("broken.jpg", b"\xff\xd8\xff\xe0junk", "damaged or unsupported"),
    ("bomb.ppm", b"P6 60000 60000 255\n", "million pixels"),
    ("cut.jpg", _truncated_jpeg, "truncated"),
    ("missing.jpg", None, "no such file"),
    ("folder", Path.mkdir, "a folder with no pictures"),
    ("float.tif", Image.new("F", (2, 2)).save, "floating-point"),
    ("deep.tif", Image.new("I", (2, 2), 70000).save, "more than 16 bits"),
]


@pytest.mark.parametrize("height", [1, 511, 512, 513, 1024])
def test_pixels_read_in_strips_are_those_of_the_whole(height):
    image = np.random.default_rng(0).integers(0, 255, (height, 3, 3), np.uint8)
    found = pixels(Image.fromarray(image))
    np.testing.assert_array_equal(found, image)
    found[0] = 0  # may be written to


@pytest.mark.parametrize(("name", "content", "said"), BAD_FILES, ids=[row[0] for row in BAD_FILES])
def test_what_cannot_be_read_gets_one_sentence(tmp_path, name, content, said):
    path = tmp_path / name
    if callable(content):
        content(path)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises((OSError, ValueError)) as caught:
        read_image(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}: ")
    assert said in sentence
    assert "\n" not in sentence


def test_folders_and_patterns_expand_in_order_and_once(tmp_path):
    """Odd files of a folder are kept, for their error; hidden files and sidecars are not."""
    for name in ("b.jpg", "a.png", "notes.txt", ".hidden", "boxes.json", "sub/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def names(*inputs):
        return [p.relative_to(tmp_path).as_posix() for p in find_images(inputs)]

    assert names(tmp_path) == ["a.png", "b.jpg", "notes.txt"]
    assert names(f"{tmp_path}/b*", tmp_path) == ["b.jpg", "a.png", "notes.txt"]
    assert names(f"{tmp_path}/**/*.jpg") == ["b.jpg", "sub/c.jpg"]
    assert names(f"{tmp_path}/sub/../b.jpg", tmp_path / "b.jpg") == ["sub/../b.jpg"]
    assert names(tmp_path / "boxes.json") == ["boxes.json"]  # named, so meant


def test_inputs_that_lead_nowhere_are_reported_when_read(tmp_path):
    (tmp_path / "empty").mkdir()
    inputs = [tmp_path / "empty", tmp_path / "none.jpg", tmp_path / "*.png"]
    assert find_images(inputs) == inputs
    with pytest.raises(ValueError, match="Received: ''"):
        find_images([""])


@pytest.mark.parametrize(
    ("name", "make", "said"),
    [
        ("photo.jpg", lambda path: path.mkdir(), "a folder with no pictures in it"),
        ("gone.jpg", lambda path: path.symlink_to("nothing"), "a link that leads to no file"),
        ("loop", lambda path: path.symlink_to("loop"), "a link that leads to no file"),
        ("pipe.jpg", lambda path: os.mkfifo(path), "a pipe or device; save what comes"),
        ("x.heic", lambda path: path.write_bytes(HEIC), "a HEIC picture, which Pillow does not"),
        ("heic.jpg", lambda path: path.write_bytes(HEIC), "a HEIC picture, which Pillow does not"),
        ("page.jpg", lambda path: path.write_text("<html>404</html>"), "not a picture"),
        ("x.svg", lambda path: path.write_text(SVG), "not a picture"),
    ],
)
def test_odd_things_in_a_folder_get_a_sentence_each_and_never_wait(tmp_path, name, make, said):
    make(tmp_path / name)
    (tmp_path / "subfolder").mkdir()
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    pictures, videos = find_inputs([str(tmp_path)])
    assert [path.name for path in pictures] == ["a.png", name] and videos == []
    assert picture_bytes(tmp_path / name) == 0
    with pytest.raises((OSError, ValueError), match=rf"{name}: {said}"):
        read_image(tmp_path / name)


def _save(path, content):
    path.write_text(json.dumps(content))
    return path


ANNOTATIONS = {
    "images": [
        {"id": 5, "file_name": "val/five.jpg"},
        {"id": 139, "file_name": "000000000139.jpg"},
    ],
    "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}],
    "annotations": [
        {"image_id": 5, "category_id": 1, "bbox": [1, 2, 3, 4]},
        {"image_id": 5, "category_id": 2, "bbox": [9, 9, 9, 9]},
        {"image_id": 5, "category_id": 1, "bbox": [9, 9, 9, 9], "iscrowd": 1},
        {"image_id": 5, "category_id": 1, "bbox": [9, 9, 0, 9]},
    ],
}


@pytest.mark.parametrize("name", ["photos/val/five.jpg", "five.jpg", "elsewhere/five.jpg"])
def test_annotations_give_the_persons_of_a_picture(tmp_path, name):
    boxes, scores = read_boxes(_save(tmp_path / "a.json", ANNOTATIONS))(name, None)
    assert boxes.tolist() == [[1, 2, 3, 4]]
    assert scores.tolist() == [1]


def test_a_listed_picture_may_be_empty_an_unlisted_one_is_an_error(tmp_path):
    boxes = read_boxes(_save(tmp_path / "a.json", ANNOTATIONS))
    assert boxes("COCO_val2014_000000000139.jpg", None)[0].shape == (0, 4)
    for name in ("other.jpg", "000000000140.jpg"):
        with pytest.raises(ValueError, match=r"a\.json does not list it"):
            boxes(name, None)


def test_boxes_of_a_picture_of_another_size_are_refused(tmp_path):
    """It was resized or turned since; the boxes would show other things."""
    images = [{"id": 5, "file_name": "five.jpg", "height": 40, "width": 60}]
    boxes = read_boxes(_save(tmp_path / "a.json", ANNOTATIONS | {"images": images}))
    assert len(boxes("five.jpg", np.zeros((40, 60, 3)))[0]) == 1
    with pytest.raises(ValueError, match=r"it is 40 x 60 pixels, as its EXIF .* it was 60 x 40"):
        boxes("five.jpg", np.zeros((60, 40, 3)))


def test_equal_names_in_two_folders_need_the_folder(tmp_path):
    images = [{"id": 1, "file_name": "a/x.jpg"}, {"id": 2, "file_name": "b/x.jpg"}]
    images += ANNOTATIONS["images"]
    boxes = read_boxes(_save(tmp_path / "a.json", ANNOTATIONS | {"images": images}))
    assert [boxes.image_id(f"in/{name}/x.jpg") for name in "abc"] == [1, 2, None]


@pytest.mark.parametrize("category", [0, 1, 7, "0", None])
def test_detections_of_one_category_are_of_people(tmp_path, category):
    """Ultralytics numbers the classes from 0."""
    found = [{"image_id": i, "category_id": category, "bbox": [1, 2, 3, 4]} for i in (139, "140")]
    boxes = read_boxes(_save(tmp_path / "d.json", found))
    assert [len(boxes(f"{i:012}.jpg", None)[0]) for i in (139, 140, 141)] == [1, 1, 0]


@pytest.mark.parametrize("categories", [(0, 1), (0, 5), (2, 3)])
def test_detections_whose_person_nothing_tells_are_refused(tmp_path, categories):
    found = [{"image_id": 1, "category_id": each, "bbox": [1, 2, 3, 4]} for each in categories * 2]
    kinds = ", ".join(rf"{each} \(2 boxes\)" for each in categories)
    with pytest.raises(ValueError, match=rf"d.json: nothing tells which .* are {kinds}"):
        read_boxes(_save(tmp_path / "d.json", found))


def test_detections_are_found_by_number_or_name_and_thresholded(tmp_path):
    detection = {"image_id": 139, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9}
    weak, dog = detection | {"score": 0.1}, detection | {"category_id": 18}
    boxes = read_boxes(_save(tmp_path / "d.json", [detection, weak, dog]))
    assert boxes("000000000139.jpg", None)[1].tolist() == [0.9]
    assert len(boxes("000000000785.jpg", None)[0]) == 0
    with pytest.raises(ValueError, match="does not list it"):
        boxes("holiday.jpg", None)  # neither number nor name: nothing could ever match

    named = read_boxes(_save(tmp_path / "d.json", [detection | {"file_name": "holiday.jpg"}]))
    assert len(named("holiday.jpg", None)[0]) == 1
    assert len(named("nobody.jpg", None)[0]) == 0
    everything = read_boxes(_save(tmp_path / "d.json", [detection, weak]), score_threshold=0)
    assert len(everything("000000000139.jpg", None)[0]) == 2


BOX = {"image_id": 1, "bbox": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"images": []}, "neither COCO annotations"),
        (7, "neither COCO annotations"),
        ([BOX | {"bbox": [1, 2, 3]}], "the first: entry 0: its `bbox` is not four numbers"),
        ([None, BOX | {"score": "high"}], "no entry can be used; the first: entry 0: it is 'None'"),
    ],
)
def test_another_json_gets_one_sentence(tmp_path, content, said):
    path = _save(tmp_path / "x.json", content)
    with pytest.raises(ValueError, match=said) as caught:
        read_boxes(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bbox": [1, 2, 3]}, "its `bbox` is not four numbers"),
        ({"bbox": None}, "it has no `bbox`"),
        ({"bbox": [1, 2, float("nan"), 4]}, "its `bbox` has a value that is no number"),
        ({"bbox": [1, 2, 1e200, 4]}, "its `bbox` has a value that is no number"),
        ({"bbox": [1, 2, True, 4]}, "its `bbox` has a value that is no number"),
        ({"score": "high"}, "its `score` has a value that is no number"),
        ({"image_id": []}, "its `image_id` or `category_id` is neither"),
        ({"category_id": {}}, "its `image_id` or `category_id` is neither"),
        ({"image_id": 99}, "its `image_id` is not in `images`"),
        (None, "it is 'None', not an object"),
    ],
    ids=str,
)
def test_a_bad_entry_costs_a_line_and_the_others_are_read(tmp_path, change, said):
    images = [{"id": 0, "file_name": "x.jpg"}, {"id": 0, "file_name": "y.jpg"}, None]
    entries = [BOX | {"image_id": 0}, change and BOX | {"image_id": 0} | change]
    content = {"images": images, "annotations": entries}
    lines = []
    boxes = read_boxes(_save(tmp_path / "a.json", content), note=lines.append)
    assert boxes("x.jpg", None)[0].tolist() == [[1, 2, 3, 4]]
    name = tmp_path / "a.json"
    assert lines[0] == f"{name}: image 1 is left out: another image has its `id`."
    assert lines[-1].startswith(f"{name}: entry 1 is left out: {said}") and len(lines) == 3


@pytest.mark.parametrize("image_id", [0, "7", 7.0, "frame-12"])
def test_ids_of_any_kind_are_compared_as_text(tmp_path, image_id):
    content = {
        "images": [{"id": image_id, "file_name": "in\\x.jpg"}],
        "annotations": [{"image_id": str(image_id).removesuffix(".0"), "bbox": ["1", 2, 3, "4"]}],
    }
    assert read_boxes(_save(tmp_path / "a.json", content))("x.jpg", None)[0].tolist() == [
        [1, 2, 3, 4]
    ]


def test_keypoints_give_a_box_that_is_missing(tmp_path):
    points = [10, 20, 2, 50, 40, 1, 0, 0, 0]
    content = {
        "images": [{"id": 1, "file_name": "x.jpg"}],
        "annotations": [{"image_id": 1, "keypoints": points, "bbox": []}],
    }
    boxes = read_boxes(_save(tmp_path / "a.json", content))
    assert boxes("x.jpg", None)[0].tolist() == [[6, 16, 48, 28]]


@pytest.mark.parametrize("sizes", [True, False])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x, y, w, h: [x, y, x + w, y + h], "looks like left, top, right, bottom"),
        (lambda x, y, w, h: [x / 200, y / 200, w / 200, h / 200], "looks like shares"),
        (lambda *box: [*box], ""),
    ],
)
def test_boxes_in_another_form_are_suspected(tmp_path, sizes, change, said):
    rng, lines = np.random.default_rng(0), []
    places = rng.uniform([20, 20, 60, 60], [100, 100, 90, 90], (20, 4))
    size = {"width": 200, "height": 200} if sizes else {}
    content = {
        "images": [{"id": i, "file_name": f"{i}.jpg"} | size for i in range(20)],
        "annotations": [
            {"image_id": i, "bbox": change(*box)} for i, box in enumerate(places.tolist())
        ],
    }
    read_boxes(_save(tmp_path / "a.json", content), note=lines.append)
    assert len(lines) == bool(said) and said in "".join(lines)


def test_what_was_passed_over_is_counted(tmp_path):
    entries = [BOX | {"category_id": 2}, BOX | {"iscrowd": 1}, BOX | {"bbox": [1, 1, 0, 5]}]
    entries += [BOX | {"category_id": 1, "score": 0.1}] * 2
    content = ANNOTATIONS | {"annotations": [each | {"image_id": 5} for each in entries]}
    boxes = read_boxes(_save(tmp_path / "a.json", content))
    assert boxes.nothing().endswith(
        "no box there belongs to these pictures; 0 are of others, 1 are of other categories, 1 are "
        "of crowds, 1 are empty, 2 have a score below 0.3."
    )


def test_boxes_of_stored_pixels_are_of_these(tmp_path):
    """COCO's annotations ignore EXIF, other tools follow it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RAMP).save(tmp_path / "x.png", exif=exif)
    for size in (RAMP.shape[:2], RAMP.shape[1::-1]):
        images = [{"id": 5, "file_name": "x.png", "height": size[0], "width": size[1]}]
        boxes = read_boxes(_save(tmp_path / "a.json", ANNOTATIONS | {"images": images}))
        image = boxes.read_image(tmp_path / "x.png")
        assert image.shape[:2] == size and len(boxes("x.png", image)[0]) == 1


def test_text_that_is_not_json_is_named(tmp_path):
    (tmp_path / "x.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(ValueError, match="not complete JSON"):
        read_boxes(tmp_path / "x.json")


@pytest.mark.parametrize(("bits", "brightest"), [(10, 1000), (12, 4080), (14, 9000), (16, 60000)])
def test_grey_of_16_bits_is_scaled_by_the_bits_in_use(tmp_path, caplog, bits, brightest):
    """Cameras fill the lower bits; the upper 8 alone would be black."""
    grey = np.linspace(0, brightest, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(grey).save(tmp_path / "x.png")
    assert (read_image(tmp_path / "x.png")[..., 1] == grey >> (bits - 8)).all()
    assert (
        caplog.messages
        == [f"{tmp_path / 'x.png'}: at most {brightest} of 65535, so it is read as {bits} bits."][
            : bits < 16
        ]
    )


@pytest.mark.parametrize(
    ("bits", "brightest"), [(8, 255), (10, 1000), (12, 4080), (14, 16383), (16, 16384)]
)
@pytest.mark.parametrize("write", [deep_png, deep_tiff, partial(deep_tiff, order=">")])
def test_colours_of_16_bits_are_scaled_by_the_bits_in_use(tmp_path, caplog, bits, brightest, write):
    colours = np.linspace(0, brightest, 600 * 4 * 3).astype(np.uint16).reshape(600, 4, 3)
    (tmp_path / "x").write_bytes(write(colours))
    np.testing.assert_array_equal(read_image(tmp_path / "x"), colours >> (bits - 8))
    said = f"{tmp_path / 'x'}: at most {brightest} of 65535, so it is read as {bits} bits."
    assert caplog.messages == ([said] if bits < 16 else [])


@pytest.mark.parametrize("channels", [2, 4])
def test_transparency_of_16_bits_is_kept(tmp_path, channels):
    dark = np.full((1, 2, channels), 4095, np.uint16)
    dark[..., -1] = [65535, 0]
    (tmp_path / "x.png").write_bytes(deep_png(dark // 2 + 1))
    (tmp_path / "y.png").write_bytes(deep_png(dark))
    assert read_image(tmp_path / "y.png").tolist() == [[[255] * 3, [255] * 3]]
    assert read_image(tmp_path / "x.png")[0, 0, 0] == 191  # half transparent grey on white


def test_further_frames_are_mentioned(tmp_path, caplog):
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "green", "blue")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "x.gif")[0, 0].tolist() == [255, 0, 0]
    assert "x.gif: 3 frames, of which only the first is read" in caplog.text
