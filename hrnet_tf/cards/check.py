"""Checks the values of a card that was read from a file against the types of its class."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping

WORDS = {str: "text", bool: "true or false", int: "a whole number", float: "a finite number"}


def check_values(kind: type, values: Mapping, prefix: str = "") -> None:
    """Compares values with the types of the fields of a dataclass, in lists down to each entry.

    Args:
        kind: a dataclass.
        values: by the names of its fields; lists are tuples, as in `card.frozen`.
        prefix: what stands before the names in messages, such as "keypoints.".

    Raises:
        ValueError: a value has another type or another length, or a number is not finite.
    """
    hints = typing.get_type_hints(kind)
    for name, value in values.items():
        if name in hints:
            _check(prefix + name, value, hints[name])


def _check(name, value, hint):
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        check_values(hint, value, f"{name}.")
    elif isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        kinds = [each for each in typing.get_args(hint) if each is not type(None)]
        if value is not None and len(kinds) == 1:
            _check(name, value, kinds[0])
    elif typing.get_origin(hint) is tuple:
        _check_tuple(name, value, typing.get_args(hint))
    elif hint in WORDS and not _is(value, hint):
        raise ValueError(f"`{name}` must be {WORDS[hint]}. Received: {name}={value!r}.")


def _check_tuple(name, value, kinds):
    endless = kinds[-1:] == (Ellipsis,)
    if not isinstance(value, tuple) or not (endless or len(value) == len(kinds)):
        count = "" if endless else f" of {len(kinds)}"
        raise ValueError(f"`{name}` must be a list{count}. Received: {name}={value!r}.")
    for place, each in enumerate(value):
        _check(f"{name}[{place}]", each, kinds[0] if endless else kinds[place])


def _is(value, kind):
    if kind is float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and math.isfinite(value)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
