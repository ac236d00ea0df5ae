"""A page on this machine that shows what a network finds, for any task: `hrnet-tf app`.

The standard library serves it, and the page loads nothing from elsewhere. Pictures, frames of a
webcam and videos are sent to this process and to no other.
"""

import base64
import io
import json
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image

from hrnet_tf.media.images import decode_image
from hrnet_tf.prediction.pictures import FORMATS
from hrnet_tf.tasks.task import BoxSource, Item, Predictor, Task

LARGEST = 512 * 2**20  # bytes of a file that is sent
LOOPBACK = ("127.0.0.1", "localhost")
PAGES = {"/": ("page.html", "text/html"), "/page.js": ("page.js", "text/javascript")}
# Nothing but what this server sends may be loaded, so no picture can leave the machine.
POLICY = "default-src 'self'; img-src 'self' data: blob:; media-src blob:; frame-ancestors 'none'"
POLICY += "; style-src 'self' 'unsafe-inline'; connect-src 'self'"


@dataclass
class Demonstrator:
    """A predictor with what is needed to show its results.

    Attributes:
        name: of the network, for people.
        task: draws results and turns them into records.
        predictor: of that task; it is used by one request at a time.
        boxes: finds the boxes of a picture; None for whole pictures.
        drawing: settings of the task's `draw` and `follow`.
        following: options of the task's `follow`, and its further arguments; None without videos.
    """

    name: str
    task: Task
    predictor: Predictor
    boxes: BoxSource | None = None
    drawing: Mapping[str, Any] = field(default_factory=dict)
    following: tuple[Any, Mapping[str, Any]] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def about(self) -> dict:
        """What the page says about the network."""
        card = self.predictor.card
        return {
            "name": self.name,
            "task": card.task,
            "labels": card.label_set,
            "videos": self.following is not None,
            "largest": LARGEST,
        }

    def picture(self, content: bytes, name: str) -> dict:
        """The drawn picture as a data address, the records, and milliseconds.

        Raises:
            OSError, ValueError: the content is not a picture that can be read, or has no result.
        """
        notes = []
        image = decode_image(io.BytesIO(content), name, note=notes.append)
        card = self.predictor.card
        with self.lock:
            start = time.perf_counter()
            boxes = self.boxes(name, image) if self.boxes else ()
            [(_, _, found)] = self.predictor.stream([Item(name, image, *boxes)])
            seconds = time.perf_counter() - start
        drawn = [*self.task.draw(image, found, card, **self.drawing), Image.fromarray(image)]
        records = self.task.records(Path(name).stem, 0, found, card)
        return {
            "picture": _address(drawn[0]),
            "found": f"{len(records)} {self.task.counted}" if self.task.counted else "",
            "records": records,
            "milliseconds": round(1e3 * seconds, 1),
            "notes": notes,
        }

    def video(self, content: bytes, name: str) -> tuple[bytes, dict]:
        """The drawn video, an .mp4 file, and its summary.

        Raises:
            OSError, ValueError: it is not a video that can be read, or the task has none.
        """
        if self.following is None:
            raise ValueError(f"{name}: networks for {self.task.card.task} take pictures only.")
        options, given = self.following
        with tempfile.TemporaryDirectory() as folder, self.lock:
            path = Path(folder) / f"video{Path(name).suffix[:8]}"
            path.write_bytes(content)
            out = Path(folder) / "out"
            self.predictor.timings.reset()
            try:
                summary = self.task.follow(
                    self.predictor, path, out, options, **given, **self.drawing
                )
            except (OSError, ValueError) as error:
                raise ValueError(str(error).replace(str(path), name)) from error
            lines = [line.replace(str(path), name) for line in summary["problems"]]
            return next(out.glob("*.mp4")).read_bytes(), {**summary, "problems": lines[:5]}


def _address(picture):
    content = io.BytesIO()
    picture.save(content, **FORMATS[".jpg"])
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()


def serve(demonstrator: Demonstrator, host: str, port: int) -> ThreadingHTTPServer:
    """A server of the page, to be started by `serve_forever`; port 0 takes a free one.

    Raises:
        OSError: the address cannot be used, mostly as another program uses the port.
    """

    class Handler(_Handler):
        shown, hosts = demonstrator, {host, *(LOOPBACK if host in LOOPBACK else ())}

    try:
        server = _Server((host, port), Handler)
    except OSError as error:
        reason = error.strerror or error
        raise OSError(f"{host}:{port} cannot be used ({reason}); choose another --port.") from error
    return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A page that was closed while it waited is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """GET gives the page, POST predicts the file that is its body."""

    shown: Demonstrator
    hosts: set[str]
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = urlsplit(self.path).path
        if not self._is_asked_by_name():
            return
        if path == "/about":
            self._json(self.shown.about())
        elif path in PAGES:
            file, kind = PAGES[path]
            content = Path(__file__).with_name(file).read_bytes()
            self._send(200, content, f"{kind}; charset=utf-8")
        else:
            self._fail(404, "There is no such page.")

    def do_POST(self):
        if not self._is_asked_by_name():
            return
        content = self._body()
        if content is None:
            return
        parts = urlsplit(self.path)
        name = Path(parse_qs(parts.query).get("name", ["the file"])[0]).name[:80]
        try:
            if parts.path == "/picture":
                self._json(self.shown.picture(content, name))
            elif parts.path == "/video":
                film, summary = self.shown.video(content, name)
                facts = {"X-Summary": json.dumps(summary)}
                self._send(200, film, "video/mp4", facts)
            else:
                self._fail(404, "There is no such page.")
        except (OSError, ValueError) as error:
            self._fail(400, " ".join(str(error).split()))
        except MemoryError:
            self._fail(400, f"{name}: too large for the memory of this machine.")

    def _is_asked_by_name(self):
        """Refuses other pages: those that lead another name here, and those that send files."""
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        origin = self.headers.get("Origin")
        same = origin is None or urlsplit(origin).netloc == self.headers.get("Host")
        known = "0.0.0.0" in self.hosts or host in self.hosts
        if not (known and same):
            self._fail(403, "This page is for this machine; open it by the address that was shown.")
        return known and same

    def _body(self):
        """The bytes that were sent; None, with an answer, if they are none or too many."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or not int(length):
            self._fail(400, "An empty file (0 bytes) was sent; choose another.")
        elif int(length) > LARGEST:
            self._fail(
                413, f"Files of up to {LARGEST // 2**20} MB are taken; choose a smaller one."
            )
        else:
            return self.rfile.read(int(length))
        return None

    def _json(self, content):
        self._send(200, json.dumps(content).encode(), "application/json")

    def _fail(self, status, sentence):
        self.close_connection = True  # what was not read must not be taken for a request
        self._send(status, json.dumps({"error": sentence}).encode(), "application/json")

    def _send(self, status, content, kind, further=None):
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(content))}
        headers |= {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
        headers |= {"X-Content-Type-Options": "nosniff", **(further or {})}
        headers |= {"Connection": "close"} if self.close_connection else {}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Keeps the terminal quiet: answers say what is wrong."""
