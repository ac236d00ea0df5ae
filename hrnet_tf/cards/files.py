"""Cards as small JSON files beside model files: how to feed a network and read its output."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import keras

from hrnet_tf.cards import NAMES, card_class
from hrnet_tf.cards.card import VERSION, Card, frozen, pretty
from hrnet_tf.cards.check import check_values
from hrnet_tf.cards.paths import card_path, new_card_path
from hrnet_tf.files import sha256, whole


def card_from_json(text: str) -> Card | None:
    """The card that `Card.to_json` wrote, of the class of its task; None if its task is null.

    Raises:
        ValueError: the text is not a complete card, the task or codec is unknown, or the lengths
            of its fields disagree.
    """
    try:
        card = json.loads(text)
    except RecursionError:
        raise ValueError("A card must be JSON of a few levels; this has too many.") from None
    except ValueError as error:
        raise ValueError(f"A card must be complete JSON, this text is not ({error}).") from None
    card = card if isinstance(card, dict) else {}
    task = card.pop("task", NAMES[0])  # the first cards had no "task"
    if task is None:
        return None
    kind = card_class(task)
    names = [field.name for field in dataclasses.fields(kind)]
    missing = {"version", *names} - set(card) - set(kind.later)
    if missing:
        raise ValueError(
            f"A {task} card must have {', '.join(sorted(missing))}; this text has not."
        )
    if card["version"] != VERSION:
        raise ValueError(
            f"A card must be of version {VERSION}. Received: version={card['version']!r}. "
            "A newer hrnet_tf may read it."
        )
    fields = {name: frozen(card[name]) for name in names if name in card}
    check_values(kind, fields)
    try:
        return kind.from_fields(fields)
    except TypeError as error:
        raise ValueError(f"A {task} card must have the fields of `to_json`, but {error}.") from None


def read_card(model_path: str | Path) -> Card | None:
    """The card beside a model file; None if there is no such file or its task is null.

    Raises:
        ValueError: the file there is not a card.
    """
    path = card_path(model_path)
    if not path.is_file():
        return None
    try:
        return card_from_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def other_parts(model_path: str | Path) -> dict[str, Path]:
    """The further files that a converted network consists of, by name; empty if it is whole.

    They are named in its card and lie beside it.
    """
    try:
        fields = json.loads(card_path(model_path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}  # `read_card` says what is wrong
    names = fields.get("parts") if isinstance(fields, dict) else None
    return {name: Path(model_path).with_name(file) for name, file in (names or {}).items()}


def write_card(
    model_path: str | Path, card: Card | None, facts: Mapping[str, object] | None = None
) -> None:
    """Writes the card beside a model file; after an error there is no partial file.

    Args:
        model_path: the model file.
        card: None for a network of unknown task; then only the facts are written.
        facts: further fields of the file, which `read_card` ignores.
    """
    fields = json.loads(card.to_json()) if card else {"version": VERSION, "task": None}
    _write(new_card_path(model_path), {**fields, **(facts or {})})


def _write(path, fields):
    with whole(path) as part:
        part.write_text(pretty(fields) + "\n", encoding="utf-8")


def conversion_card(model_path: str | Path) -> dict:
    """All fields of the card beside a converted file, after a check that it is this file's card.

    Raises:
        OSError: there is no such file.
        ValueError: there is no conversion's card beside it, or its SHA-256 is another file's.
    """
    path = card_path(model_path)
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        digest = fields["conversion"]["sha256"]
    except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError):
        raise ValueError(
            f"{path}: there must be the card that a .tflite or .onnx file was converted with; "
            "convert it again."
        ) from None
    if digest != sha256(model_path):
        raise ValueError(
            f"{path}: describes another file than {Path(model_path).name}, their SHA-256 differ; "
            "convert it again."
        )
    return fields


def check_conversion(model_path: str | Path) -> None:
    """Compares a converted file with the SHA-256 in its card, if there is one.

    Runtimes use a damaged file without a word, and its results are those of another network.

    Raises:
        ValueError: card and file do not belong together.
    """
    try:
        fields = json.loads(card_path(model_path).read_text(encoding="utf-8"))
        digest = fields["conversion"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return  # a file of others, or `read_card` says what is wrong
    if digest != sha256(model_path):
        raise ValueError(
            f"{model_path}: is damaged or another file than {card_path(model_path).name} was "
            "written for, since their SHA-256 differ; copy both again, or convert it again."
        )


def record_accuracy(model_path: str | Path, accuracy: Mapping[str, object]) -> None:
    """Writes a measured accuracy into the card of a converted file, as `conversion.accuracy`.

    Args:
        model_path: the converted file.
        accuracy: numbers and the conditions they depend on; they replace an earlier accuracy.

    Raises:
        OSError, ValueError: as `conversion_card`, or the card cannot be written; the old card is
            kept then.
    """
    fields = conversion_card(model_path)
    fields["conversion"]["accuracy"] = dict(accuracy)
    _write(card_path(model_path), fields)


def save_model(model: keras.Model, card: Card | None, path: str | Path) -> None:
    """Writes a network and its card, if it has one.

    The model is saved uncompiled, so that it opens without this package.

    Raises:
        OSError: a file cannot be written; a partial one is not left behind.
    """
    plain = keras.Model(model.input, model.output, name=model.name)
    with whole(path) as part:
        plain.save(part)
    if card:
        write_card(path, card)
