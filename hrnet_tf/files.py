"""Files that must exist, their hashes, and files that appear whole or not at all."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

# Archives may unfold to this many bytes, or to this many times their own size.
UNFOLDED, EXPANSION = 2**28, 4
NAME = 200  # bytes of a file's name; most file systems allow 255, with suffixes and parts of names

# Exceptions that `np.load` raises on a damaged file.
DAMAGE = (EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error)


def existing(path: str | os.PathLike) -> Path:
    """The path of a file that exists.

    Raises:
        FileNotFoundError: there is no such file; a folder is none.
    """
    if not os.path.isfile(path):  # False, too, for names that are too long
        if os.path.islink(path):
            raise FileNotFoundError(f"{os.fspath(path)}: a link that leads to no file; copy it.")
        if os.path.exists(path) and not os.path.isdir(path):
            raise FileNotFoundError(
                f"{os.fspath(path)}: a pipe or device; save what comes from it to a file first."
            )
        raise FileNotFoundError(f"{os.fspath(path)}: no such file; check its name.")
    return Path(path)


@contextlib.contextmanager
def whole(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary path to write to; it replaces `path` if the block ends without an error.

    After an error, such as a full disk or Ctrl-C, `path` is unchanged. The temporary path has the
    suffix of `path`, because some writers choose their format by it.

    Raises:
        OSError: the writer raised one; the message is one sentence that names `path`.
    """
    path = Path(path)
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        reason = error.strerror or error
        raise OSError(f"{path}: cannot be written ({reason}). What was there is kept.") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(folder: str | os.PathLike, replace: bool = False) -> Iterator[Path]:
    """A temporary folder to write to; it becomes `folder` if the block ends without an error.

    With `replace` it takes the place of a folder that is there, and nothing of that one stays.

    Raises:
        FileExistsError: `folder` is already there and not empty, or it is a file.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not replace)):
        raise FileExistsError(
            f"`folder` must be new or empty. Received: folder={folder}. "
            "Choose another name, or delete it first."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        part.chmod(0o755)
        yield part
        if replace and folder.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
            os.replace(folder, old)
            os.replace(part, folder)
            shutil.rmtree(old)
        else:
            os.replace(part, folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def write_json(path: Path, content: object, indent: int | None = None) -> None:
    """Writes a JSON file, which appears whole or not at all."""
    with whole(path) as part:
        part.write_text(json.dumps(content, indent=indent) + "\n", encoding="utf-8")


def prepare_folder(
    folder: str | os.PathLike,
    targets: Iterable[str],
    inputs: Iterable[str | os.PathLike] = (),
    overwrite: bool = False,
) -> Path:
    """Makes a folder for results; refuses to replace inputs, or earlier results unasked.

    Raises:
        OSError: the folder cannot be made or written to.
        ValueError: a target exists and `overwrite` is False, or a target is one of the inputs.
    """
    folder = Path(folder)
    inputs = {os.path.realpath(path) for path in inputs}
    old = [name for name in targets if os.path.exists(folder / name)]
    same = [name for name in old if os.path.realpath(folder / name) in inputs]
    if same:
        raise ValueError(
            f"{folder / same[0]}: an input that the output would replace; choose another --output."
        )
    if old and not overwrite:
        raise ValueError(
            f"{folder}: {len(old)} results are there already, {old[0]} among them; "
            "choose another --output, or add --overwrite."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{folder}: cannot be made a folder ({error.strerror}).") from error
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder}: may not be written; choose another --output.")
    return folder


def distinct(names: Iterable[str]) -> Iterator[str]:
    """The names, with numbers where two were equal but for case: they can be files of a folder."""
    taken = set()
    for name in names:
        found, copy = name, 1
        while found.casefold() in taken:
            copy += 1
            found = f"{name}-{copy}"
        taken.add(found.casefold())
        yield found


def short(name: str) -> str:
    """The beginning of a name, so that a file's name can be made of it."""
    return name.encode()[:NAME].decode(errors="ignore")


def one_line(error: Exception) -> str:
    """The message of an error in one line without a full stop; its type if it has no message."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def parse_json(content: bytes | str, name: object) -> object:
    """The content of a JSON file, in any UTF.

    Raises:
        ValueError: it is not JSON, or is nested too deeply; the message begins with `name`.
    """
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError(f"{name}: JSON that is nested too deeply.") from None
    except ValueError as error:
        raise ValueError(f"{name}: not complete JSON ({error}).") from None


def unfolds_too_far(size: int, unfolded: Iterable[int]) -> str:
    """Why an archive is refused that would fill the memory; empty if it may be read.

    Args:
        size: bytes of the archive.
        unfolded: bytes of each of its entries. All together may have 256 MiB, or 4 times its size.
    """
    total = sum(unfolded)
    if total <= max(UNFOLDED, EXPANSION * size):
        return ""
    return (
        f"unfolds to {total / 2**20:.0f} MiB from {size / 2**20:.1f}, as no weights do. "
        "If it is yours, write it again without compression."
    )


def sha256(path: str | os.PathLike) -> str:
    """The SHA-256 of a file in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
