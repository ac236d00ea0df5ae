"""The page of `hrnet-tf app`: what its server answers, and what a browser shows."""

import http.client
import io
import json
import threading
from urllib.parse import quote

import keras
import numpy as np
import pytest
from chromium import BINARY, Chromium
from PIL import Image

import hrnet_tf
from hrnet_tf import cli
from hrnet_tf.prediction import server as server_module
from hrnet_tf.prediction.server import Demonstrator, serve
from hrnet_tf.tasks import task_named
from hrnet_tf.tasks.detection.people import detected, whole_image
from hrnet_tf.tasks.pose.options import FollowOptions

from tiny_networks import HRNET, SHAPE, lively

CARDS = {
    "pose": hrnet_tf.PoseCard(),
    "segmentation": hrnet_tf.SegmentationCard(
        classes=("sky", "road", "tree"), palette=((9, 9, 200), (90, 90, 90), (9, 200, 9))
    ),
    "classification": hrnet_tf.ClassificationCard(classes=tuple("abcdefg")),
}
BUILDERS = {
    "pose": lambda: hrnet_tf.pose(HRNET, SHAPE),
    "segmentation": lambda: hrnet_tf.segmentation(HRNET, 3, SHAPE),
    "classification": lambda: hrnet_tf.classification(HRNET, 7, SHAPE),
}


def demonstrator(name, **given):
    keras.utils.set_random_seed(3)
    task = task_named(name)
    predictor = hrnet_tf.predictor(lively(BUILDERS[name]()), card=CARDS[name])
    if task.wants_boxes:
        given["boxes"] = detected(whole_image, predictor.timings)
    return Demonstrator(f"tiny {name}", task, predictor, **given)


@pytest.fixture(scope="module", params=list(CARDS))
def served(request):
    """(task, port, what is shown) of a server that runs."""
    shown = demonstrator(request.param)
    server = serve(shown, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield request.param, server.server_address[1], shown
    server.shutdown()
    server.server_close()
    thread.join()


def ask(port, method, path, body=None, headers=None):
    """(status, content) of an answer; JSON is parsed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    kind = answer.headers["Content-Type"]
    return answer.status, json.loads(content) if kind == "application/json" else content


def picture(size=(96, 72), kind="PNG"):
    pixels = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind)
    return content.getvalue()


def test_a_picture_comes_back_with_its_results(served):
    task, port, _ = served
    status, answer = ask(port, "POST", "/picture?name=a.png", picture())
    assert status == 200 and answer["milliseconds"] > 0
    assert answer["picture"].startswith("data:image/jpeg;base64,")
    [record] = answer["records"]
    first = {"pose": "keypoints", "segmentation": "classes", "classification": "predictions"}[task]
    assert record[first]
    assert answer["found"] == ("1 persons" if task == "pose" else "")


def test_records_are_those_of_predict(served):
    _, port, shown = served
    _, answer = ask(port, "POST", "/picture?name=a.png", picture())
    image = np.asarray(Image.open(io.BytesIO(picture())))
    found = shown.predictor(image)
    wanted = shown.task.records("a", 0, found, shown.predictor.card)
    assert answer["records"] == json.loads(json.dumps(wanted))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"not a picture", "a.png: not a picture"),
        (b"", "empty file"),
        (picture()[:200], "a.png: damaged"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "HEIC"),
    ],
)
def test_what_is_no_picture_is_a_sentence(served, content, sentence):
    status, answer = ask(served[1], "POST", "/picture?name=" + quote("in/../a.png"), content)
    assert status == 400
    assert sentence in answer["error"] and "Traceback" not in answer["error"]
    assert ask(served[1], "POST", "/picture?name=b.png", picture())[0] == 200


def test_too_large_a_file_is_refused_unread(served, monkeypatch):
    monkeypatch.setattr(server_module, "LARGEST", 100)
    status, answer = ask(served[1], "POST", "/picture?name=a.png", bytes(101))
    assert status == 413 and "smaller" in answer["error"]


def test_a_task_without_videos_says_so(served):
    task, port, _ = served
    status, answer = ask(port, "POST", "/video?name=a.mp4", b"video")
    assert (status, answer["error"]) == (400, f"a.mp4: networks for {task} take pictures only.")


def test_other_pages_and_names_are_refused(served):
    """A page of the web must not send pictures here, nor lead a name of its own to this server."""
    port = served[1]
    for headers in ({"Host": f"evil.example:{port}"}, {"Origin": "https://evil.example"}):
        for method, path in (("GET", "/about"), ("POST", "/picture")):
            assert ask(port, method, path, b"x", headers)[0] == 403
    own = {"Origin": f"http://127.0.0.1:{port}"}
    assert ask(port, "POST", "/picture?name=a.png", picture(), own)[0] == 200
    assert ask(port, "GET", "/../server.py")[0] == 404


def test_the_page_loads_nothing_from_elsewhere(served):
    for path in ("/", "/page.js"):
        status, content = ask(served[1], "GET", path)
        assert status == 200 and b"http://" not in content and b"https://" not in content


def test_a_port_in_use_is_a_sentence(served):
    with pytest.raises(OSError, match=r"127\.0\.0\.1:\d+ cannot be used .* choose another --port"):
        serve(None, "127.0.0.1", served[1])


def test_a_video_comes_back_drawn(tmp_path):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "a.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for level in range(0, 200, 50):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), level, np.uint8))
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    shown = demonstrator("pose", following=(FollowOptions(show=False), {"detector": None}))
    film, summary = shown.video((tmp_path / "a.mp4").read_bytes(), "a.mp4")
    assert summary["frames"] == 4
    with av.open(io.BytesIO(film)) as file:
        assert len([*file.decode(video=0)]) == 4
    with pytest.raises(ValueError, match=r"^b\.mp4: "):
        shown.video(b"not a video", "b.mp4")


# --- The command ----------------------------------------------------------------------------------


def test_the_command_opens_a_network_and_prints_the_address(tmp_path, monkeypatch, capsys):
    def interrupted(server):
        raise KeyboardInterrupt

    monkeypatch.setattr(server_module.ThreadingHTTPServer, "serve_forever", interrupted)
    hrnet_tf.save_model(BUILDERS["pose"](), CARDS["pose"], tmp_path / "tiny.keras")
    flags = [f"--model={tmp_path / 'tiny.keras'}", "--detector=none", "--port=0"]
    assert cli.main(["app", *flags]) == 0
    assert "Open http://127.0.0.1:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["a.jpg"], "`app` takes flags; its page takes files."),
        (["--boxes=a.json"], "Unknown command line flag 'boxes'"),
        (["--model=hrnet_w18_imagenet_224x224", "--nms=0.5"], "`--nms` has no meaning for"),
        (["--model=nothing.keras"], "nothing.keras"),
    ],
)
def test_wrong_flags_are_a_sentence(words, sentence, capsys):
    assert cli.main(["app", *words]) in (1, 2)
    assert sentence in capsys.readouterr().err


# --- In a browser -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(BINARY is None, reason="there is no Chromium here")
def test_a_browser_shows_results_and_sentences(served, tmp_path):
    task, port, _ = served
    (tmp_path / "a.png").write_bytes(picture())
    (tmp_path / "b.png").write_bytes(b"not a picture")
    with Chromium(tmp_path / "profile") as page:
        page("Page.navigate", url=f"http://127.0.0.1:{port}/")
        page.until(f"document.title === 'tiny {task}'")
        page.choose("#file", tmp_path / "a.png")
        page.until("document.getElementById('picture').naturalWidth")
        assert " ms" in page.run("document.getElementById('message').textContent")
        rows = page.run("document.querySelectorAll('#tables tr').length")
        assert rows > 1
        page.shoot(tmp_path / f"{task}.png")
        page.choose("#file", tmp_path / "b.png")
        said = page.until("document.querySelector('#message.error')?.textContent")
        assert said.startswith("b.png: not a picture")
        assert page.run("document.getElementById('picture').hidden")
        page.run("document.getElementById('camera').click()")
        page.until("document.getElementById('picture').naturalWidth === 640")
        page.run("document.getElementById('camera').click()")
        assert page.run("document.getElementById('camera').textContent") == "Start the webcam"
