"""Videos by their addresses: served on this machine, whole, cut off, and silent."""

import http.server
import io
import json
import threading
import time

import numpy as np
import pytest
from PIL import Image

from hrnet_tf.cards.pose import PoseCard
from hrnet_tf.labels.keypoint_sets import COCO
from hrnet_tf.tasks.pose.predictor import Pose
from hrnet_tf.tasks.streaming import Timings

av = pytest.importorskip("av", reason="needs PyAV")

from hrnet_tf.media import video  # noqa: E402
from hrnet_tf.media.video import Video  # noqa: E402
from hrnet_tf.tasks.pose.follow import predict_video  # noqa: E402

from known_motion import write_video  # noqa: E402


def everybody(image, boxes):
    """Finds a person in each box."""
    points = np.column_stack([20 + np.arange(17) % 4 * 3, 5 + 2 * np.arange(17)])
    scores = np.full(17, 0.8, np.float32)
    return [Pose(points.astype(np.float32), scores, box, 0.8, COCO.names) for box in boxes]


@pytest.fixture
def predictor():
    found = type("Stub", (), {"__call__": lambda self, *given: everybody(*given)})()
    found.card, found.timings = PoseCard(), Timings()
    return found


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Address of a server: /clip.mp4 and /clip.ts of 60 frames, /camera of 20 JPEGs.

    With `?half` a file's connection ends in the middle; with `?silent` it sends half and waits.
    """
    folder = tmp_path_factory.mktemp("served")
    noise = np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3), np.uint8)
    write_video(folder / "first.mp4", noise, rate=10)
    for name, options in (("clip.mp4", {"movflags": "+faststart"}), ("clip.ts", {})):
        old, new = av.open(folder / "first.mp4"), av.open(folder / name, "w", options=options)
        with old, new:
            stream = new.add_stream_from_template(old.streams.video[0])
            for packet in old.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    new.mux(packet)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(folder))
    server.ended = threading.Event()
    server.RequestHandlerClass.ended = server.ended
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.ended.set()
    server.shutdown()
    server.server_close()


def _handler(folder):
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            name, _, manner = self.path[1:].partition("?")
            try:
                if name == "camera":
                    self._camera()
                elif (folder / name).is_file():
                    self._file((folder / name).read_bytes(), manner)
                else:
                    self.send_error(404)
            except OSError:  # the client has gone
                pass

        def _file(self, content, manner):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2 if manner else None])
            if manner == "silent":
                self.ended.wait(20)

        def _camera(self):
            self.send_response(200)
            kind = "multipart/x-mixed-replace; boundary=frame"
            self.send_header("Content-Type", kind)
            self.end_headers()
            for number in range(20):
                picture = io.BytesIO()
                Image.new("RGB", (64, 48), (12 * number,) * 3).save(picture, "JPEG")
                head = "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: "
                head += f"{len(picture.getvalue())}\r\n\r\n"
                self.wfile.write(head.encode() + picture.getvalue() + b"\r\n")
                time.sleep(0.01)
            self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff")  # is cut

    return Handler


@pytest.mark.parametrize("name", ["clip.mp4", "clip.ts"])
def test_a_served_video_is_predicted_like_a_file(served, predictor, tmp_path, name):
    summary = predict_video(predictor, f"{served}/{name}", tmp_path / "out")
    assert summary["frames"] == 60 and summary["persons"] == 1 and summary["problems"] == []
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "clip.jsonl", "clip.mp4", "timings.json",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["clip.mp4", "clip.ts"])
def test_a_connection_that_ends_leaves_what_came_and_one_sentence(
    served, predictor, tmp_path, name
):
    address = f"{served}/{name}?half"
    summary = predict_video(predictor, address, tmp_path / "out")
    assert summary["problems"] == [f"{address}: cannot be read further (Input/output error)."]
    assert 20 < summary["frames"] < 40
    lines = (tmp_path / "out" / "clip.jsonl").read_text().splitlines()
    assert {json.loads(line)["frame"] for line in lines} == set(range(summary["frames"]))
    with av.open(str(tmp_path / "out" / "clip.mp4")) as written:
        assert len(list(written.decode(video=0))) == summary["frames"]


def test_a_connection_that_falls_silent_is_left(served, monkeypatch):
    monkeypatch.setattr(video, "TIMEOUT", 0.5)
    with_pauses = Video(f"{served}/clip.mp4?silent")
    assert 20 < len(list(with_pauses)) < 40
    (problem,) = with_pauses.problems
    assert problem.endswith("cannot be read further (nothing came for 0.5 seconds).")
    with_pauses.close()


def test_a_camera_on_the_network_is_live(served, predictor, tmp_path):
    """Motion JPEG, whose end is always an interruption; what was being sent is not mentioned."""
    summary = predict_video(predictor, f"{served}/camera", tmp_path / "out", show=False)
    assert 1 <= summary["frames"] <= 20 and summary["persons"] == 1
    (problem,) = summary["problems"]
    assert problem == f"{served}/camera: stopped (Input/output error)."
    assert (tmp_path / "out" / "camera.mp4").is_file()


def test_an_address_that_leads_nowhere_is_one_sentence(served, predictor, tmp_path):
    with pytest.raises(OSError, match=r"/gone.mp4: no video from this address \(.*404.*\); check"):
        predict_video(predictor, f"{served}/gone.mp4", tmp_path / "out")
    assert not (tmp_path / "out").exists()
