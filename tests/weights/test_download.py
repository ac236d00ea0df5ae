"""Downloads from a server that also misbehaves: on loopback, the real ones are never asked."""

import hashlib
import http.server
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from hrnet_tf.weights import download as module
from hrnet_tf.weights.download import cache_folder, download, is_url

CONTENT = np.random.default_rng(0).bytes(3_000_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """`/KIND/…` names the misbehaviour; every request is noted in `server.asked`."""

    def do_GET(self):
        kind = self.path.split("/")[1]
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        self.server.asked.append((kind, start))
        if kind == "missing":
            return self.send_error(404)
        if kind == "ill" and len(self.server.asked) < 3:
            return self.send_error(503)
        if kind == "whole":  # knows no ranges
            start = 0
        if start >= len(CONTENT):
            return self.send_error(416)
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", len(body))
        self.end_headers()
        breaks = kind == "always" or (kind in ("breaks", "whole") and len(self.server.asked) < 3)
        self.wfile.write(body[: len(body) // 2] if breaks else body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def files(folder):
    """What is there, without the empty locks."""
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock")


def test_a_file_is_fetched_once_and_kept_below_its_servers_name(server, tmp_path):
    url = f"{server.url}/good/a/model.safetensors"
    first = download(url, DIGEST[:8], tmp_path)
    assert first.read_bytes() == CONTENT
    assert first.relative_to(tmp_path).parts[1:] == ("good", "a", "model.safetensors")
    other = download(f"{server.url}/good/b/model.safetensors", DIGEST[:8], tmp_path)
    assert other != first and download(url, DIGEST[:8], tmp_path) == first
    assert len(server.asked) == 2 and files(tmp_path) == ["model.safetensors"] * 2


def test_a_broken_transfer_goes_on_where_it_stopped(server, tmp_path):
    path = download(f"{server.url}/breaks/x.pth", DIGEST, tmp_path)
    assert path.read_bytes() == CONTENT
    assert [start for _, start in server.asked] == [0, 1_500_000, 2_250_000]


def test_a_server_without_ranges_starts_again(server, tmp_path):
    assert download(f"{server.url}/whole/x.pth", DIGEST, tmp_path).read_bytes() == CONTENT
    assert len(server.asked) == 3


def test_a_server_that_is_ill_for_a_while_is_asked_again(server, tmp_path):
    assert download(f"{server.url}/ill/x.pth", DIGEST, tmp_path).read_bytes() == CONTENT


def test_the_next_call_goes_on_where_the_last_gave_up(server, tmp_path):
    with pytest.raises(ConnectionError, match=r"broke after \d+ of 3000000 bytes. Try again") as e:
        download(f"{server.url}/always/x.pth", DIGEST, tmp_path)
    assert "\n" not in str(e.value) and len(server.asked) == module.ATTEMPTS
    assert files(tmp_path) == [".x.pth.part"]
    server.asked.clear()
    with pytest.raises(ConnectionError):
        download(f"{server.url}/always/x.pth", DIGEST, tmp_path)
    assert server.asked[0][1] > 2_800_000


def test_a_part_of_another_version_is_thrown_away(server, tmp_path):
    path = download(f"{server.url}/good/x.pth", DIGEST, tmp_path)
    path.rename(path.with_name(".x.pth.part")).write_bytes(b"old" * 100)
    assert download(f"{server.url}/good/x.pth", DIGEST, tmp_path).read_bytes() == CONTENT
    assert [start for _, start in server.asked] == [0, 300, 0]
    path.rename(path.with_name(".x.pth.part")).write_bytes(b"longer" * 10**6)
    assert download(f"{server.url}/good/x.pth", DIGEST, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("kind", "sha256", "error", "message"),
    [
        ("missing", "", FileNotFoundError, "answers 404 Not Found. Get the file elsewhere"),
        ("good", "0" * 8, ValueError, f"begins with {DIGEST[:8]}, not with 00000000"),
    ],
)
def test_what_cannot_be_had_is_said_in_a_sentence(server, tmp_path, kind, sha256, error, message):
    with pytest.raises(error, match=message) as e:
        download(f"{server.url}/{kind}/x.pth", sha256, tmp_path)
    assert "\n" not in str(e.value) and not files(tmp_path)


def test_the_hash_in_an_openmmlab_name_is_checked(server, tmp_path):
    good = f"hrnet_w32-{DIGEST[:8]}_20220909.pth"
    assert download(f"{server.url}/good/{good}", folder=tmp_path).name == good
    for wrong in ("w32-01234567_20220909.pth", "seg_20200520-01234567.pth"):
        with pytest.raises(ValueError, match="not with 01234567"):
            download(f"{server.url}/good/{wrong}", folder=tmp_path)


def test_offline_is_one_sentence(tmp_path):
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as closed:
        url = f"http://127.0.0.1:{closed.server_port}/x.pth"
    with pytest.raises(ConnectionError, match=r"no connection .*give its path as weights") as e:
        download(url, folder=tmp_path)
    assert "\n" not in str(e.value) and not files(tmp_path)


def test_a_full_disk_leaves_nothing_behind(server, tmp_path, monkeypatch):
    def attempt(url, part, update):
        part.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_attempt", attempt)
    with pytest.raises(OSError, match=r"x\.pth: cannot be written \(No space left.*KERAS_HOME"):
        download(f"{server.url}/good/x.pth", folder=tmp_path)
    assert not files(tmp_path)


def test_two_processes_share_one_transfer(server, tmp_path):
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        calls = [
            pool.submit(download, f"{server.url}/good/x.pth", DIGEST, tmp_path) for _ in range(2)
        ]
        assert all(call.result().read_bytes() == CONTENT for call in calls)
    assert len(server.asked) == 1


def test_addresses_and_the_cache(monkeypatch, tmp_path):
    assert is_url("https://x/y.pth") and is_url("hf://timm/hrnet_w18.ms_in1k")
    assert not is_url("published") and not is_url(tmp_path) and not is_url(None)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "hrnet_tf"
    fetched = []
    monkeypatch.setattr(module, "_fetch", lambda url, path, sha256: fetched.append(url))
    path = download("hf://timm/hrnet_w18.ms_in1k")
    assert fetched == [
        "https://huggingface.co/timm/hrnet_w18.ms_in1k/resolve/main/model.safetensors"
    ]
    assert path.parent.name == "main" and tmp_path in path.parents
