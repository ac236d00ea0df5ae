"""Drives headless Chromium by its DevTools protocol over pipes, without a further package."""

import base64
import json
import os
import shutil
import subprocess
import time

BINARY = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
FLAGS += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
FLAGS += ["--no-first-run", "--disable-background-networking", "--window-size=900,1000"]


class Chromium:
    """One page of one browser; a context manager."""

    def __init__(self, folder, *flags):
        self.command = [BINARY, *FLAGS, *flags, f"--user-data-dir={folder}", "about:blank"]
        self.number, self.session = 0, None

    def __enter__(self):
        theirs, self.to = os.pipe()
        self.back, answers = os.pipe()
        # The browser reads its descriptor 3 and writes its descriptor 4.
        line = f'exec "$@" 3<&{theirs} 4>&{answers}'
        self.process = subprocess.Popen(
            ["bash", "-c", line, "bash", *self.command],
            pass_fds=(theirs, answers),
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(answers)
        self.left = b""
        (page,) = [t for t in self("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        attached = self("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self.session = attached["sessionId"]
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.to)
        os.close(self.back)

    def __call__(self, method, **params):
        """Calls a method of the protocol; events are skipped."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        message |= {"sessionId": self.session} if self.session else {}
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.left:
                part = os.read(self.back, 2**16)
                assert part, "Chromium has ended"
                self.left += part
            text, _, self.left = self.left.partition(b"\0")
            answer = json.loads(text)
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def run(self, script):
        """The value of a JavaScript expression, also of a promise."""
        options = {"returnByValue": True, "awaitPromise": True}
        answer = self("Runtime.evaluate", expression=script, **options)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, script, seconds=60):
        """Waits for an expression to be true and returns its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.run(script):
                return value
            time.sleep(0.1)
        raise AssertionError(f"{script} did not become true")

    def choose(self, selector, path):
        """Gives a file to an input, as a user does."""
        root = self("DOM.getDocument")["root"]["nodeId"]
        node = self("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def shoot(self, path):
        """Writes what is seen as PNG."""
        path.write_bytes(base64.b64decode(self("Page.captureScreenshot")["data"]))
