"""Videos in and out: frames, their times, which way is up; what is kept when things go wrong."""

import json
import os
import signal
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet_tf import cli
from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.labels.keypoint_sets import COCO
from hrnet_tf.media.find import is_video
from hrnet_tf.media.images import read_image
from hrnet_tf.tasks.pose.predictor import Pose, PosePredictor
from hrnet_tf.tasks.pose.track import Tracking
from hrnet_tf.tasks.streaming import Timings

av = pytest.importorskip("av", reason="needs PyAV")

from hrnet_tf.media import video  # noqa: E402
from hrnet_tf.media.video import Video, VideoWriter, read_frames  # noqa: E402
from hrnet_tf.tasks import videos  # noqa: E402
from hrnet_tf.tasks.pose.follow import follow, predict_video  # noqa: E402

from known_motion import annotated, moved_box, noisy, similarity, warp, write_video  # noqa: E402

QUARTERS = (255, 0, 0), (0, 160, 0), (0, 0, 255), (200, 150, 100)


def picture(height=48, width=64, number=0):
    """Four colours, and the frame's number as a black bar."""
    image = np.zeros((height, width, 3), np.uint8)
    for index, color in enumerate(QUARTERS):
        row, column = divmod(index, 2)
        rows = slice(row * height // 2, (row + 1) * height // 2)
        image[rows, column * width // 2 : (column + 1) * width // 2] = color
    image[height // 4 : height // 4 + 4, : 2 * number] = 0
    return image


def quarters(image):
    """The colours in the middle of the quarters, (2, 2, 3)."""
    height, width, _ = image.shape
    rows, columns = [height // 8, 5 * height // 8], [width // 4, 3 * width // 4]
    return image[np.ix_(rows, columns)].astype(int)


class Stub:
    """A predictor that finds the person of `people[frame]` in every box; the frame is counted."""

    def __init__(self, people=lambda frame: 30.0, before=lambda frame: None):
        self.card, self.timings, self.frame = PoseCard(), Timings(), -1
        self.people, self.before = people, before

    def __call__(self, image, boxes):
        self.frame += 1
        self.before(self.frame)
        x = self.people(self.frame)
        if x is None:
            return []
        points = np.column_stack([x + np.arange(17) % 4 * 3, 5 + 2 * np.arange(17)])
        scores = np.full(17, 0.8, np.float32)
        return [Pose(points.astype(np.float32), scores, box, 0.8, COCO.names) for box in boxes]


@pytest.fixture
def dance(tmp_path):
    """Two seconds, 30 frames per second."""
    write_video(tmp_path / "dance.mp4", [picture(number=n % 30) for n in range(60)])
    return tmp_path / "dance.mp4"


def lines(folder, name="dance"):
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


# Reading and writing


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(30000, 1001), Fraction(60)], ids=str)
def test_frames_and_their_times_survive(tmp_path, rate):
    """Colours within the loss of the coding: the matrix and range are told, not guessed."""
    path = tmp_path / "x.mp4"
    writer, pictures = VideoWriter(path, rate), [picture(number=n) for n in range(25)]
    for index, image in enumerate(pictures):
        writer.write(image, float(index / rate))
    writer.close()
    frames = list(read_frames(path))
    assert [frame.index for frame in frames] == list(range(25))
    np.testing.assert_allclose([f.time for f in frames], np.arange(25) / float(rate), atol=2e-5)
    for frame, image in zip(frames, pictures, strict=True):
        assert frame.image.shape == image.shape and frame.image.dtype == np.uint8
        assert np.abs(quarters(frame.image) - quarters(image)).max() <= 12
        bar = (frame.image[14:16].max(axis=(0, 2)) < 60).sum()
        assert bar == pytest.approx(2 * frame.index, abs=2)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert float(stream.average_rate) == pytest.approx(float(rate), rel=1e-3)


def test_frames_of_varying_length_keep_their_times(tmp_path):
    """As phones record; also after a writing from a reading."""
    times = np.cumsum([0, 0.02, 0.05, 0.033, 0.5, 0.001, 0.04, 1.2, 0.033])
    for path, source in (("a.mp4", None), ("b.mp4", "a.mp4")):
        frames = read_frames(tmp_path / source) if source else enumerate(times)
        writer = VideoWriter(tmp_path / path, Fraction(30))
        for frame in frames:
            writer.write(picture(number=frame[0]), frame[1])
        writer.close()
        found = [frame.time for frame in read_frames(tmp_path / path)]
        np.testing.assert_allclose(found, times, atol=2e-5)


def test_time_starts_with_the_first_frame_and_never_runs_back(tmp_path):
    writer = VideoWriter(tmp_path / "x.mp4", Fraction(30))
    for time in (5.0, 5.1, 5.1, 5.05, 5.2):
        writer.write(picture(), time)
    writer.close()
    found = np.array([frame.time for frame in read_frames(tmp_path / "x.mp4")])
    assert found[0] == 0 and (np.diff(found) > 0).all()
    assert found[-1] == pytest.approx(0.2, abs=1e-3)


@pytest.mark.parametrize("size", [(47, 63), (48, 63), (1, 1)])
def test_odd_sizes_are_filled_up(tmp_path, size):
    """H.264's usual format needs even ones; nothing moves or scales."""
    write_video(tmp_path / "x.mp4", [picture(*size)] * 3)
    frames = list(read_frames(tmp_path / "x.mp4"))
    assert frames[0].image.shape == (size[0] + size[0] % 2, size[1] + size[1] % 2, 3)
    if min(size) > 1:
        assert np.abs(quarters(frames[2].image) - quarters(picture(*size))).max() <= 12


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_pictures_come_the_way_up_that_the_file_asks_for(tmp_path, degrees, mirrored):
    """PyAV itself tells by how many degrees counterclockwise a frame is to be turned."""
    path = tmp_path / "x.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.set_display_rotation(degrees, hflip=mirrored)
        frame = av.VideoFrame.from_ndarray(picture(), "rgb24")
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    with av.open(str(path)) as container:
        stored = next(container.decode(video=0))
        assert stored.rotation % 360 == degrees or mirrored
        upright = np.rot90(stored.to_ndarray(format="rgb24"), round(stored.rotation / 90))
    [frame] = read_frames(path)
    if not mirrored:
        np.testing.assert_array_equal(frame.image, upright)
    else:  # a mirror turns the order of the colours around the middle
        found = quarters(frame.image)
        around = [found[0, 0], found[0, 1], found[1, 1], found[1, 0]]
        order = [int(np.abs(np.array(QUARTERS) - color).sum(axis=1).argmin()) for color in around]
        start = order.index(0)
        assert order[start:] + order[:start] == [0, 2, 3, 1]


@pytest.mark.parametrize("ratio", [Fraction(2), Fraction(1, 2), Fraction(64, 45)])
def test_pixels_that_are_not_square_become_square(tmp_path, ratio):
    """DV, DVD and surveillance recorders say how wide a pixel is to be shown."""
    path = tmp_path / "wide.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = ratio
        frame = av.VideoFrame.from_ndarray(picture(), "rgb24").reformat(format="yuv420p")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    (frame,) = read_frames(path)
    width, height = round(64 * max(ratio, 1)), round(48 / min(ratio, 1))
    assert frame.image.shape == (height, width, 3)
    assert np.abs(quarters(frame.image) - np.reshape(QUARTERS, (2, 2, 3))).max() < 30


def test_videos_without_their_suffix_are_told_by_opening_them(tmp_path, dance):
    (tmp_path / "clip").write_bytes(dance.read_bytes())
    (tmp_path / "clip.dav").write_bytes(dance.read_bytes())
    Image.fromarray(picture()).save(tmp_path / "photo.png")
    (tmp_path / "picture").write_bytes((tmp_path / "photo.png").read_bytes())
    (tmp_path / "notes.txt").write_text("to do")
    names = [name for name in sorted(os.listdir(tmp_path)) if is_video(str(tmp_path / name))]
    assert names == ["clip", "clip.dav", "dance.mp4"]


@pytest.mark.parametrize("address", ["rtsp://127.0.0.1:9/stream", "http://127.0.0.1:9/clip.mp4"])
def test_an_address_where_nobody_answers_is_one_sentence(address, capsys):
    assert is_video(address)
    with pytest.raises(OSError, match=rf"^{address}: no video from this address \(.+\); check it"):
        Video(address)


def test_a_frame_of_another_size_is_scaled(tmp_path):
    """Streams that change their resolution midway."""
    write_video(tmp_path / "x.mp4", [picture(), picture(96, 128), picture()])
    assert [f.image.shape for f in read_frames(tmp_path / "x.mp4")] == [(48, 64, 3)] * 3


# What is wrong with a source


def _remuxed(source, path, options=None):
    """The same packets in another container."""
    with av.open(str(source)) as old, av.open(str(path), "w", options=options or {}) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return path


@pytest.fixture
def long(tmp_path):
    """Ten seconds of noise, so that its size is that of its frames."""
    rng = np.random.default_rng(0)
    images = (rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(100))
    write_video(tmp_path / "noise.mp4", images, rate=10)
    return tmp_path / "noise.mp4"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_of_a_truncated_video_all_whole_frames_are_predicted(tmp_path, long, suffix):
    """And one sentence says how much is missing."""
    whole = _remuxed(long, tmp_path / f"whole{suffix}", {"movflags": "faststart"})
    content = whole.read_bytes()
    short = tmp_path / f"short{suffix}"
    short.write_bytes(content[: len(content) * 6 // 10])
    summary = predict_video(Stub(), short, tmp_path / "out")
    assert 50 <= summary["frames"] <= 62
    [problem] = summary["problems"]
    assert str(short) in problem and "\n" not in problem
    assert len(list(read_frames(tmp_path / "out" / "short.mp4"))) == summary["frames"]
    assert len(lines(tmp_path / "out", "short")) == summary["frames"]


def test_a_damaged_piece_is_passed_over(tmp_path, long):
    content = bytearray(long.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    (tmp_path / "damaged.mp4").write_bytes(content)
    summary = predict_video(Stub(), tmp_path / "damaged.mp4", tmp_path / "out")
    assert summary["frames"] >= 80


def _without_frames(tmp_path, long):
    path = _remuxed(long, tmp_path / "empty.mp4", {"movflags": "faststart"})
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"mdat") + 8])
    return path


def _other_codec(tmp_path, long):
    content = long.read_bytes().replace(b"avc1", b"zzz1").replace(b"avcC", b"zzzC")
    (tmp_path / "other.mp4").write_bytes(content)
    return tmp_path / "other.mp4"


def _sound(tmp_path, long):
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        silence = np.zeros((1, 16000), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate = 16000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return tmp_path / "sound.mp4"


def _text(tmp_path, long):
    (tmp_path / "text.mp4").write_text("not a video")
    return tmp_path / "text.mp4"


def _index_missing(tmp_path, long):
    content = _remuxed(long, tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) // 2])
    return tmp_path / "cut.mp4"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_without_frames, ""),
        (_other_codec, "a codec that PyAV cannot decode; convert it to H.264"),
        (_sound, "no video in it"),
        (_text, "not a video, or damaged"),
        (_index_missing, "not a video, or damaged"),
        (lambda folder, _: folder / "nothing.mp4", "no such file"),
        (lambda folder, _: folder, "a folder"),
        (lambda *_: 97, "camera 97: cannot be opened"),
    ],
)
def test_what_cannot_be_played_is_one_sentence_and_leaves_no_file(tmp_path, long, make, said):
    source = make(tmp_path, long)
    with pytest.raises((OSError, ValueError)) as caught:
        predict_video(Stub(), source, tmp_path / "out")
    name = f"camera {source}" if isinstance(source, int) else str(source)
    assert str(caught.value).startswith(name) and said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "out").glob("*")) and not list((tmp_path / "out").glob(".*"))


class Vanishing:
    """A camera, played from a file, that is unplugged after some packets."""

    def __init__(self, path, packets):
        self._container, self._packets = av.open(str(path)), packets

    def __getattr__(self, name):
        return getattr(self._container, name)

    def demux(self, stream):
        for number, packet in enumerate(self._container.demux(stream)):
            if number == self._packets:
                raise av.error.OSError(5, "Input/output error")
            yield packet


def test_a_camera_that_disappears_leaves_what_it_saw(tmp_path, dance, monkeypatch):
    monkeypatch.setattr(video, "_open_camera", lambda number: Vanishing(dance, 40))
    summary = predict_video(Stub(), "0", tmp_path / "out", show=False)
    assert summary["problems"] == ["camera 0: stopped (Input/output error)."]
    assert 1 <= summary["frames"] <= 40
    assert len(list(read_frames(tmp_path / "out" / "camera0.mp4"))) == summary["frames"]
    assert {line["frame"] for line in lines(tmp_path / "out", "camera0")} <= set(range(40))


def test_of_a_camera_a_slow_reader_sees_the_newest_frames(dance, monkeypatch):
    """Rather than ever older ones; the last one is seen too."""
    monkeypatch.setattr(video, "_open_camera", lambda number: Vanishing(dance, 1000))
    seen = []
    camera = Video(0)
    for frame in camera:
        seen.append(frame.index)
        while not seen[1:] and len(camera.seconds) < 60:
            pass  # until the camera has shown everything
    assert seen[0] < 5 and seen[-1] == 59 and len(seen) < 10
    camera.close()


# Following and its files


def test_a_video_becomes_a_video_lines_and_timings(tmp_path, dance):
    stub = Stub(lambda frame: 30.0 if frame < 45 else None)
    detect = lambda images: [(np.float32([[20, 2, 30, 40]]), np.ones(1))]  # noqa: E731
    settings = Tracking(detect_every=25, smoothing=None)
    summary = predict_video(stub, dance, tmp_path / "out", detect, settings)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "dance.jsonl",
        "dance.mp4",
        "timings.json",
    ]
    frames = list(read_frames(tmp_path / "out" / "dance.mp4"))
    np.testing.assert_allclose([f.time for f in frames], np.arange(60) / 30, atol=2e-5)
    found = lines(tmp_path / "out")
    assert [line["frame"] for line in found] == list(range(45))
    assert {line["id"] for line in found} == {1}
    for line in found:
        assert line["time"] == pytest.approx(line["frame"] / 30, abs=1e-5)
        assert np.shape(line["keypoints"]) == (17, 2) and len(line["scores"]) == 17
        assert line["keypoints"][4] == [30.0, 13.0]
    assert json.loads((tmp_path / "out" / "timings.json").read_text()) == summary | {
        "keypoint_names": list(COCO.names)
    }
    assert (summary["frames"], summary["persons"], summary["problems"]) == (60, 1, [])
    assert summary["detected_frames"] == 4  # 0, 25, and as nobody is left, 46, 56
    assert list(summary["stages"]) == ["read", "detect", "track", "draw", "write"]
    assert all(0 <= row["p50_ms"] <= row["p90_ms"] for row in summary["stages"].values())
    # Drawn: colours on the joints, and the number of the person above them.
    with_person, without = (
        (np.abs(frames[i].image.astype(int) - picture(number=i % 30)).max(axis=-1) > 60).sum()
        for i in (10, 59)
    )
    assert with_person > 4 * without


def test_a_video_without_people_is_a_video_and_no_lines(tmp_path, dance):
    detect = lambda images: [(np.zeros((0, 4), np.float32), np.zeros(0))]  # noqa: E731
    summary = predict_video(Stub(), dance, tmp_path / "out", detect)
    assert (summary["frames"], summary["persons"]) == (60, 0)
    assert lines(tmp_path / "out") == []
    assert len(list(read_frames(tmp_path / "out" / "dance.mp4"))) == 60


def test_without_a_detector_the_first_frame_shows_one_person(dance):
    """And the next frames follow that person."""
    boxes = []

    class Noting(Stub):
        def __call__(self, image, given):
            boxes.append(np.array(given))
            return super().__call__(image, given)

    followed = list(follow(Noting(), read_frames(dance)))
    assert boxes[0].tolist() == [[0, 0, 64, 48]]
    assert [frame.detected for frame in followed] == [True] + [False] * 59
    assert all(len(b) == 1 for b in boxes)
    assert [[pose.id for pose in frame.poses] for frame in followed] == [[1]] * 60


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_interrupted_the_files_hold_what_is_done(tmp_path, dance, number):
    """A playable video, complete lines, the timings of these frames."""

    def interrupt(frame):
        if frame == 20:
            signal.raise_signal(number)

    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        predict_video(Stub(before=interrupt), dance, tmp_path / "out")
    assert signal.getsignal(number) is before
    frames = list(read_frames(tmp_path / "out" / "dance.mp4"))
    assert 19 <= len(frames) <= 20
    assert [line["frame"] for line in lines(tmp_path / "out")] == list(range(len(frames)))
    summary = json.loads((tmp_path / "out" / "timings.json").read_text())
    assert summary["frames"] == len(frames)


def test_a_camera_ends_with_an_interruption(tmp_path, dance, monkeypatch):
    """It has no other end, so this one is not an error."""
    monkeypatch.setattr(video, "_open_camera", lambda number: Vanishing(dance, 1000))

    def interrupt(frame):
        if frame == 1:
            raise KeyboardInterrupt

    summary = predict_video(Stub(before=interrupt), 0, tmp_path / "out", show=False)
    assert summary["frames"] == 1 and summary["problems"] == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("name", ["dance.jsonl", "dance.mp4"])
def test_a_full_disk_is_one_sentence(tmp_path, dance, name):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"cannot be written \(.+\)") as caught:
        predict_video(Stub(), dance, out, overwrite=True)
    assert str(caught.value).startswith(str(out / name)) and "\n" not in str(caught.value)


def test_pictures_too_wide_for_h264_are_one_sentence(tmp_path):
    writer = VideoWriter(tmp_path / "x.mp4")
    with pytest.raises(OSError, match=r"x\.mp4: cannot be written") as caught:
        writer.write(np.zeros((16, 20_000, 3), np.uint8), 0.0)
    assert "\n" not in str(caught.value)


def test_earlier_results_and_the_source_are_kept(tmp_path, dance):
    before = dance.read_bytes()
    with pytest.raises(ValueError, match="an input that the output would replace"):
        predict_video(Stub(), dance, tmp_path, overwrite=True)
    assert dance.read_bytes() == before
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "dance.jsonl").write_text("precious")
    with pytest.raises(ValueError, match="add --overwrite"):
        predict_video(Stub(), dance, tmp_path / "out")
    assert (tmp_path / "out" / "dance.jsonl").read_text() == "precious"


def test_a_closed_window_ends_a_camera_but_not_a_file(tmp_path, dance, monkeypatch):
    class Window:
        def __init__(self, title):
            self.closed, self.shown = False, 0

        def show(self, image):
            self.shown += 1
            self.closed = self.shown == 2

        def close(self):
            self.closed = True

    monkeypatch.setattr(videos, "Window", Window)
    assert predict_video(Stub(), dance, tmp_path / "a", show=True)["frames"] == 60
    monkeypatch.setattr(video, "_open_camera", lambda number: Vanishing(dance, 1000))
    slow = Stub(before=lambda frame: None)
    summary = predict_video(slow, 0, tmp_path / "b")
    assert summary["frames"] <= 4


def test_without_a_screen_a_window_is_refused_only_if_asked_for(tmp_path, dance, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setitem(sys.modules, "tkinter", None)
    with pytest.raises(OSError, match="no window can be shown"):
        predict_video(Stub(), dance, tmp_path / "out", show=True)
    assert predict_video(Stub(), dance, tmp_path / "out")["frames"] == 60


# The command


def test_the_command_follows_a_video(tmp_path, dance, model, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["predict", "dance.mp4", f"--model={model}", "--detector=none", "--nosmooth"]
    assert cli.main(words) == 0
    said = capsys.readouterr()
    assert "ms per frame: median, 90 %" in said.out and said.err == ""
    assert said.out.endswith("frames per second. Results: predicted\n")
    assert "60 frames, 1 persons" in said.out
    assert lines(Path("predicted"))[0]["box"] == [0, 0, 64, 48]
    assert cli.main(words) == 1
    assert "add --overwrite" in capsys.readouterr().err


def test_without_pyav_the_command_says_how_to_get_it(tmp_path, dance, model, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "av", None)
    for name in ("hrnet_tf.media.video", "hrnet_tf.tasks.videos", "hrnet_tf.tasks.pose.follow"):
        monkeypatch.delitem(sys.modules, name)
    words = ["predict", str(dance), f"--model={model}", f"--output={tmp_path / 'out'}"]
    assert cli.main(words) == 1
    said = capsys.readouterr().err
    assert said == f"hrnet-tf predict: {dance} needs PyAV: pip install av.\n"


# Photos moved by known matrices, and a network that was really trained

CENTER = (320, 213)
LEGS = {"rest": (0, 35), "pan": (35, 70), "zoom": (75, 100), "turn": (100, 125), "end": (125, 150)}


def _path(frame):
    """The matrix of a frame: rest, pan, rest, zoom, turn, rest."""
    done = {leg: np.clip(frame - first, 0, last - first) for leg, (first, last) in LEGS.items()}
    shift = np.multiply((-2.0, 0.5), done["pan"])
    return similarity(1 + 0.01 * done["zoom"], 0.4 * done["turn"], shift, CENTER)


def _jitter(points, seen, leg):
    """Mean second difference over a leg, of the joints that are seen."""
    first, last = LEGS[leg]
    moves = points[first + 2 : last] - 2 * points[first + 1 : last - 1] + points[first : last - 2]
    return np.linalg.norm(moves, axis=-1)[seen[first + 1 : last - 1]].mean()


def _lag(points, reference, seen, leg):
    """By how many frames the reference must be late to lie nearest."""
    frames = np.arange(*LEGS[leg])[10:]  # the filter has got under way
    errors = {}
    for lag in np.arange(0, 6, 0.25):
        low, share = np.floor(frames - lag).astype(int), (frames - lag) % 1
        late = reference[low] + share[:, None, None] * (reference[low + 1] - reference[low])
        errors[lag] = np.linalg.norm(points[frames] - late, axis=-1)[seen[frames]].mean()
    return min(errors, key=errors.get)


@pytest.fixture(scope="module")
def tinypose(data_dir):
    weights = data_dir / "tinypose" / "derived_tinypose_128x96.npz"
    return PosePredictor("tinypose_128x96", weights=weights)


@pytest.mark.data
def test_a_followed_person_is_steady_and_where_the_network_alone_finds_it(
    data_dir, tmp_path, tinypose
):
    """TinyPose in H.264: jitter a third, lag two frames, one id, detection on 10 % of the frames.

    The reference is the network on each frame, with the box of the annotation moved by the matrix.
    """
    path, [annotation, *_] = annotated(data_dir / "coco_kp_subset", "000000000785.jpg")
    photo = Image.fromarray(read_image(path, apply_exif=False))
    count = LEGS["end"][1]
    frames = (np.asarray(warp(photo, _path(i), photo.size)) for i in range(count))
    write_video(tmp_path / "x.mp4", (noisy(frame, 4, i) for i, frame in enumerate(frames)))
    boxes = np.array([moved_box(annotation["bbox"], _path(i)) for i in range(count)])

    looked = iter(range(0, count, 30))
    detect = lambda images: [(boxes[[next(looked)]], np.ones(1))]  # noqa: E731
    followed = list(follow(tinypose, read_frames(tmp_path / "x.mp4"), detect))
    items = ((f.index, f.image, boxes[f.index : f.index + 1]) for f in followed)
    single = [pose for _, _, [pose] in tinypose.stream(items)]

    assert [[pose.id for pose in frame.poses] for frame in followed] == [[1]] * count
    assert sum(frame.detected for frame in followed) <= 0.1 * count
    points = np.array([frame.poses[0].keypoints for frame in followed])
    alone = np.array([pose.keypoints for pose in single])
    seen = np.array([pose.scores for pose in single]) >= 0.3
    distances = np.linalg.norm(points - alone, axis=-1) / boxes[:, None, 2:].max(axis=-1)
    mean, most = distances[seen].mean(), np.percentile(distances[seen], 95)
    jitters = {leg: _jitter(alone, seen, leg) / _jitter(points, seen, leg) for leg in LEGS}
    lags = {leg: _lag(points, alone, seen, leg) for leg in ("pan", "zoom", "turn")}
    assert mean <= 0.01 and most <= 0.03
    assert min(jitters["rest"], jitters["end"]) >= 3
    assert max(lags.values()) <= 2
