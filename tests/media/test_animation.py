"""Animated pictures are videos: their frames, times and transparency."""

import json
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from hrnet_tf import cli
from hrnet_tf.media.find import is_animation

pytest.importorskip("av", reason="needs PyAV")

from hrnet_tf.media.video import open_video, read_frames

FORMATS = ("gif", "webp", "png")
LEVELS = (0, 60, 120, 180)


def write(path, frames=None, **given):
    frames = frames or [Image.new("RGB", (64, 48), (level,) * 3) for level in LEVELS]
    given = {"duration": [100, 300, 100, 100]} | given
    frames[0].save(path, save_all=True, append_images=frames[1:], **given)
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_frames_keep_their_times(tmp_path, suffix):
    path = write(tmp_path / f"x.{suffix}", lossless=True)
    assert is_animation(path)
    frames = list(read_frames(path))
    assert [frame.image[0, 0, 0] for frame in frames] == list(LEVELS)
    np.testing.assert_allclose([frame.time for frame in frames], [0, 0.1, 0.4, 0.5])
    assert frames[0].image.shape == (48, 64, 3)


@pytest.mark.parametrize("suffix", FORMATS)
def test_transparent_frames_lie_on_white_as_pictures_do(tmp_path, suffix):
    """FFmpeg would show the colours that lie below; and does not play WebP."""
    frames = [Image.new("RGBA", (64, 48), (200, 0, 0, 255 * i)) for i in range(2)]
    path = write(tmp_path / f"x.{suffix}", frames, duration=100, lossless=True, disposal=2)
    assert [f.image[0, 0].tolist() for f in read_frames(path)] == [[255] * 3, [200, 0, 0]]


def test_a_damaged_animation_gives_the_frames_before(tmp_path):
    rng = np.random.default_rng(0)
    frames = [Image.fromarray(rng.integers(0, 255, (48, 64, 3), np.uint8)) for _ in range(4)]
    path = write(tmp_path / "x.png", frames)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with closing(open_video(path)) as moving:
        assert 1 <= len(list(moving)) < 4
    (problem,) = moving.problems
    assert problem.startswith(f"{path}: cannot be read further (") and "\n" not in problem


def test_times_that_no_viewer_keeps_are_a_tenth_of_a_second(tmp_path):
    path = write(tmp_path / "x.gif", duration=10)
    assert [round(frame.time, 3) for frame in read_frames(path)] == [0, 0.1, 0.2, 0.3]


@pytest.mark.parametrize("name", ["still.png", "still.gif", "pages.tif", "text.gif", "no.gif"])
def test_still_pictures_are_none(tmp_path, name):
    picture = Image.new("RGB", (8, 8))
    if name == "pages.tif":
        picture.save(tmp_path / name, save_all=True, append_images=[picture])
    elif name == "text.gif":
        (tmp_path / name).write_text("no picture")
    elif name != "no.gif":
        picture.save(tmp_path / name)
    assert not is_animation(tmp_path / name)


def predict(model, tmp_path, *words):
    shared = [f"--model={model}", "--detector=none", f"--output={tmp_path / 'out'}"]
    return cli.main(["predict", *map(str, words), *shared])


def test_the_command_predicts_an_animation_as_a_video(tmp_path, model, capsys):
    assert predict(model, tmp_path, write(tmp_path / "x.gif")) == 0
    assert "4 frames, " in capsys.readouterr().out
    assert len(list(read_frames(tmp_path / "out" / "x.mp4"))) == 4
    assert json.loads((tmp_path / "out" / "timings.json").read_text())["frames"] == 4


@pytest.mark.parametrize("beside", ["--csv", "photo.png"])
def test_with_what_is_for_pictures_the_first_frame_is_predicted(tmp_path, model, caplog, beside):
    Image.new("RGB", (64, 48)).save(tmp_path / "photo.png")
    words = [beside] if beside.startswith("--") else [tmp_path / beside]
    assert predict(model, tmp_path, write(tmp_path / "x.gif"), *words) == 0
    assert "x.gif: 4 frames, of which only the first is read" in caplog.text
    assert (tmp_path / "out" / "x.jpg").is_file()


def test_pictures_and_videos_of_one_folder_are_both_predicted(tmp_path, model, capsys):
    """As a phone's folder has them; a bad file gets its line, and patterns are expanded."""
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (64, 48)).save(photos / "photo.png")
    for name in ("a.mov", "b.mp4"):
        write_frames(photos / name)
    (photos / "c.mp4").write_text("no video")
    assert predict(model, tmp_path, photos) == 1
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and "c.mp4: not a video, or damaged" in said.err
    out = tmp_path / "out"
    found = {str(path.relative_to(out)) for path in out.rglob("*.*") if path.is_file()}
    assert found == {
        "photo.jpg", "results.json", "timings.json",
        "a.mov/a.mp4", "a.mov/a.jsonl", "a.mov/timings.json",
        "b.mp4/b.mp4", "b.mp4/b.jsonl", "b.mp4/timings.json",
    }  # fmt: skip
    for name in ("a.mov", "b.mp4"):
        summary = json.loads((out / name / "timings.json").read_text())
        assert summary["frames"] == summary["stages"]["read"]["images"] == 3
    assert predict(model, tmp_path / "more", photos / "[ab].m*") == 0
    assert sorted(p.name for p in (tmp_path / "more" / "out").iterdir()) == ["a.mov", "b.mp4"]


def write_frames(path):
    from hrnet_tf.media.video import VideoWriter

    writer = VideoWriter(path)
    for index in range(3):
        writer.write(np.full((48, 64, 3), 40 * index, np.uint8), index / 10)
    writer.close()
