"""Reads JSON files that programs of any kind wrote, and says what is there in place of JSON."""

import json
import re
from collections.abc import Callable
from pathlib import Path

# First bytes of other files that are given as annotations -> what they are, and the way out.
KINDS = {
    b"PK": "a zip archive; unpack it",
    b"\x1f\x8b": "a gzip archive; unpack it",
    b"\x89HDF": "HDF5, as DeepLabCut and SLEAP write; export it in COCO's format",
    b"version https://git-lfs": "a pointer of Git LFS; `git lfs pull` brings the file",
    b"<": "XML or a web page; export it in COCO's format, or download the file itself",
}


def read_json(path: Path, report: Callable[[str], None]) -> object:
    """The content of a JSON file in any UTF.

    Args:
        path: the file.
        report: receives a line if an object has a key twice, with different values: JSON takes the
            last one.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not JSON.
    """
    content = path.read_bytes()
    try:
        text = content.decode(json.detect_encoding(content), "surrogatepass")
        found = json.loads(text)
        doubled = _keys_in_text(text) != _keys(found)
    except RecursionError:
        raise ValueError(
            f"`annotations` must be JSON of a few levels. Received: annotations={path}, "
            "which is nested too deeply."
        ) from None
    except ValueError as error:
        raise ValueError(
            f"`annotations` must be JSON ({error}). Received: annotations={path}. "
            f"{_hint(content, error)}"
        ) from None
    if doubled:
        for line in _double_keys(text):
            report(f"{path}: {line}.")
    return found


def _hint(content: bytes, error: ValueError) -> str:
    """What a file that is no JSON seems to be."""
    if not content.strip():
        return "It is empty."
    for start, kind in KINDS.items():
        if content.lstrip().startswith(start):
            return f"It is {kind}."
    if not isinstance(error, json.JSONDecodeError):
        return "Is it a text of UTF-8 or UTF-16?"
    before = error.doc[: error.pos].rstrip()
    if error.msg.startswith("Extra data") and before[-1:] in ("}", "]"):
        return "It holds several values, such as JSON lines; COCO's format is one object."
    if before.endswith(",") and error.doc[error.pos :].strip():
        return "A comma stands before it where nothing follows; remove that."
    if error.doc[error.pos : error.pos + 1] == "'":
        return "JSON has double quotes; was it written by Python's print?"
    return "Is the download complete?"


def _keys_in_text(text: str) -> int:
    """At least the number of keys: ends of strings before a colon, also those within strings."""
    return text.count('":') + len(re.findall(r'"\s+:', text))


def _keys(value: object) -> int:
    """At most the number of different keys of all objects."""
    if isinstance(value, dict):
        inner = [each for each in value.values() if type(each) in (dict, list)]
        return len(value) + sum(map(_keys, inner))
    if isinstance(value, list) and value and type(value[0]) in (dict, list):
        return sum(map(_keys, value))
    return 0


def _double_keys(text: str):
    """Yields a sentence for each key that objects have twice with different values."""
    found = {}

    def made(pairs):
        entry = dict(pairs)
        if len(entry) < len(pairs):
            for key, value in pairs:
                if entry[key] is not value and entry[key] != value:
                    found.setdefault(key, []).append(entry.get("id"))
        return entry

    json.loads(text, object_pairs_hook=made)
    for key, ids in found.items():
        where = "" if ids[0] is None else f", first in that of the id {ids[0]!r}"
        yield (
            f"`{key}` is there twice with different values in {len(ids)} objects{where}; the last "
            "one is taken"
        )
