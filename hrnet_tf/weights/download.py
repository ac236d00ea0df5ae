"""Published files, fetched once: resumed, verified, kept in the Keras cache."""

import contextlib
import http.client
import os
import re
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from hrnet_tf import files

ATTEMPTS = 4
TIMEOUT = 30  # seconds without a byte
CHUNK = 2**20
HUB = "hf://"
# OpenMMLab's names end in the first digits of the hash, and some in a date.
NAMED_HASH = re.compile(r"-([0-9a-f]{8})(?:_\d{8})?\.pth$")


def cache_folder() -> Path:
    """`hrnet_tf` in the folder where Keras keeps its files: `$KERAS_HOME` or `~/.keras`."""
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "hrnet_tf"


def is_url(source: object) -> bool:
    """Whether a string names a file on the web or on Hugging Face's hub."""
    return isinstance(source, str) and source.startswith(("http://", "https://", HUB))


def download(url: str, sha256: str = "", folder: str | os.PathLike | None = None) -> Path:
    """The file behind an address, from the cache if it is there already.

    A call makes up to four attempts. Each continues where the transfer broke, and so does the next
    call. The file gets its name only when it is complete and its hash is right. Several processes
    may ask at once: one fetches, the others wait.

    Args:
        url: http(s) address, or `hf://OWNER/NAME`, whose `model.safetensors` is meant.
        sha256: first hex digits of the SHA-256. If empty, they are read from a name such as
            OpenMMLab gives; without any, all content is accepted.
        folder: where to keep it, below the server's name; `cache_folder()` unless given.

    Raises:
        OSError: no connection, no such file there, a disk that is full or may not be written.
        ValueError: the file there has another hash.
    """
    if url.startswith(HUB):
        url = f"https://huggingface.co/{url.removeprefix(HUB)}/resolve/main/model.safetensors"
    address = urllib.parse.urlsplit(url)
    kept = urllib.parse.unquote(address.netloc.replace(":", "-") + address.path)
    path = Path(cache_folder() if folder is None else folder) / kept
    named = NAMED_HASH.search(path.name)
    sha256 = sha256.lower() or (named[1] if named else "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock")):
            if not path.exists():
                _fetch(url, path, sha256)
    except OSError as error:
        if error.errno is None:  # `_transfer` raised it, with a sentence
            raise
        raise OSError(
            f"{path}: cannot be written ({error.strerror}). Make room, or name another folder in "
            "KERAS_HOME."
        ) from error
    return path


def _fetch(url: str, path: Path, sha256: str) -> None:
    """Fetches to `path`, which appears whole and verified or not at all."""
    part = path.with_name(f".{path.name}.part")
    resumed = part.exists()
    try:
        digest = _transfer(url, part)
        if resumed and not digest.startswith(sha256):  # the part may be of another version
            part.unlink()
            digest = _transfer(url, part)
        if not digest.startswith(sha256):
            part.unlink()
            raise ValueError(
                f"{url} is not the published file: its SHA-256 begins with {digest[:8]}, not with "
                f"{sha256}. Get the file elsewhere and give its path as weights."
            )
        os.replace(part, path)
    except OSError as error:
        if error.errno is not None:  # the disk failed, not the network: remove the part
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        raise


def _transfer(url: str, part: Path) -> str:
    """Appends what is missing to `part`, with a bar on a terminal; returns its SHA-256."""
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True)
    with bar:
        task = bar.add_task(url.rsplit("/", 1)[-1], total=None)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                _attempt(url, part, lambda **state: bar.update(task, **state))
                break
            except _BrokenError as error:
                if attempt == ATTEMPTS:
                    raise ConnectionError(
                        f"{url} could not be fetched: {error}. Try again, which goes on where "
                        "this stopped, or get the file elsewhere and give its path as weights."
                    ) from error
    return files.sha256(part)


class _BrokenError(Exception):
    """The connection failed; another attempt may help."""


def _attempt(url: str, part: Path, update: Callable) -> None:
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "hrnet_tf"})
    if done:
        request.add_header("Range", f"bytes={done}-")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            if answer.status != 206:  # the server sends all of it again
                done = 0
            length = answer.headers.get("Content-Length")
            total = done + int(length) if length else None
            with open(part, "ab" if done else "wb") as file:
                while chunk := answer.read(CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    update(completed=done, total=total)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # the part is whole, or too long: the hash tells
            return
        if error.code >= 500:
            raise _BrokenError(f"the server answers {error.code} {error.reason}") from error
        raise FileNotFoundError(
            f"{url} could not be fetched: the server answers {error.code} {error.reason}. Get the "
            "file elsewhere and give its path as weights."
        ) from error
    except urllib.error.URLError as error:
        raise _BrokenError(f"no connection ({error.reason})") from error
    except (TimeoutError, ConnectionError, ssl.SSLError, http.client.HTTPException) as error:
        raise _BrokenError(f"the connection broke ({error or type(error).__name__})") from error
    if total is not None and done < total:
        raise _BrokenError(f"the connection broke after {done} of {total} bytes")
