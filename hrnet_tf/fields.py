"""Frozen dataclasses as command-line flags: one flag for each field, with help from the docstring.

Only the standard library and absl are imported, so that `--help` does not wait for Keras.
"""

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Collection, Iterable, Mapping

from absl import flags

SIZE = tuple[int, int]  # height and width, written as 256x192
MAKERS = {bool: flags.DEFINE_bool, int: flags.DEFINE_integer, float: flags.DEFINE_float}
ENTRY = re.compile(r"^    (\w[\w, ]*): (.*(?:\n {8}.*)*)", re.MULTILINE)


def field_help(kind: type) -> dict[str, str]:
    """The help text of each field of a dataclass: the `Attributes` of its docstring, in order.

    Entries of base classes come first; several names may share an entry.
    """
    found = {}
    for each in reversed(kind.__mro__):
        text = inspect.cleandoc(each.__dict__.get("__doc__") or "")
        text = text.partition("Attributes:\n")[2].partition("\n\n")[0]
        for names, meaning in ENTRY.findall(text):
            words = " ".join(meaning.split()).rstrip(".")
            found |= dict.fromkeys(names.split(", "), words)
    return found


def joint_help(kinds: Mapping[str, type]) -> dict[str, str]:
    """The help text of each field of several dataclasses; texts that differ name their dataclass.

    Args:
        kinds: name of each dataclass in the texts -> the dataclass.
    """
    meanings = {}
    for name, kind in kinds.items():
        for field, text in field_help(kind).items():
            meanings.setdefault(field, {}).setdefault(text, name)
    return {
        field: "; ".join(
            text if len(texts) == 1 else f"{name}: {text}" for text, name in texts.items()
        )
        for field, texts in meanings.items()
    }


def define(
    values: flags.FlagValues,
    kind: type,
    skip: Collection[str] = (),
    meanings: Mapping[str, str] | None = None,
) -> None:
    """Defines a flag for each field of a dataclass.

    A field is a bool, int, float or str, or one of these or None. A tuple of any number of numbers
    is written with commas, a tuple of two integers as 256x192. The field's metadata may have
    `choices`, the `least` and `most` of a number, or `flag=False`. If a flag of the same name
    exists, from a field of another dataclass, it is kept; where their defaults differ, it has none,
    and `read` gives each dataclass its own.

    Args:
        values: receives the flags.
        kind: the dataclass.
        skip: names of fields that get no flag.
        meanings: their help texts; those of the docstring if None.
    """
    meanings, kinds = meanings or field_help(kind), _kinds(kind)
    for field in dataclasses.fields(kind):
        if field.name in skip or not field.metadata.get("flag", True):
            continue
        whole = field.default is dataclasses.MISSING
        default, meaning = None if whole else field.default, meanings[field.name]
        if field.name in values:
            if values[field.name].default != default:
                values.set_default(field.name, None)
            continue
        inner = kinds[field.name]
        if choices := field.metadata.get("choices"):
            flags.DEFINE_enum(field.name, default, choices, meaning, flag_values=values)
        elif inner == SIZE:
            flags.DEFINE_string(field.name, default, meaning, flag_values=values)
        elif typing.get_origin(inner) is tuple:
            text = None if default is None else [f"{each:g}" for each in default]
            flags.DEFINE_list(field.name, text, meaning, flag_values=values)
        else:
            make, bounds = MAKERS.get(inner, flags.DEFINE_string), {}
            if "least" in field.metadata or "most" in field.metadata:
                bounds["lower_bound"] = field.metadata.get("least")
                bounds["upper_bound"] = field.metadata.get("most")
            make(field.name, default, meaning, flag_values=values, **bounds)


def read(values: flags.FlagValues, kind: type, **given: object) -> object:
    """A dataclass with the values of its flags.

    Args:
        values: the flags that `define` made, parsed.
        kind: the dataclass.
        given: values of fields that have no flag, or whose flag is ignored.

    Raises:
        absl.flags.Error: a text is not a number, or the dataclass refuses a value.
    """
    found, kinds = dict(given), _kinds(kind)
    for field in dataclasses.fields(kind):
        if field.name in found or field.name not in values:
            continue
        value, inner = values[field.name].value, kinds[field.name]
        unset = value is None and values[field.name].using_default_value
        if unset and field.default is not dataclasses.MISSING:
            continue  # the dataclass has its default
        if inner == SIZE:
            value = parse_size(value, field.name)
        elif typing.get_origin(inner) is tuple and value is not None:
            number = typing.get_args(inner)[0]
            try:
                value = tuple(number(each) for each in value)
            except ValueError:
                raise flags.Error(
                    f"`--{field.name}` must be numbers with commas. "
                    f"Received: --{field.name}={','.join(value)}."
                ) from None
        found[field.name] = value
    try:
        result = kind(**found)
    except ValueError as error:
        raise flags.Error(str(error)) from None
    given = {name for name in names(kind) if name in values and values[name].present}
    if reason := misplaced(result, given):
        raise flags.Error(reason)
    return result


def misplaced(found: object, given: Collection[str]) -> str:
    """Why a given field of a dataclass has no effect; empty if all have one.

    A field's metadata `only` is a pair: another field, and the values of it with which the field
    has an effect; None for all that are not empty.

    Args:
        found: the dataclass with its values.
        given: the names of the fields that a user has given.
    """
    for field in dataclasses.fields(found):
        other, wanted = field.metadata.get("only", ("", None))
        if field.name not in given or not other:
            continue
        value = getattr(found, other)
        if value not in wanted if wanted else not value:
            if wanted and not any(wanted):
                return f"`--{field.name}` goes without --{other}."
            shown = " or ".join(map(str, wanted)) if wanted and wanted != (True,) else ""
            return f"`--{field.name}` goes with --{other}{'=' * bool(shown)}{shown}."
    return ""


def refuse(values: flags.FlagValues, names: Iterable[str], reason: str) -> None:
    """Raises absl.flags.Error if one of these flags was given."""
    for name in sorted(names):
        if name in values and values[name].present:
            raise flags.Error(f"`--{name}` {reason}")


def parse_size(text: str | None, name: str = "size") -> tuple[int, int] | None:
    """Parses "256x192" as (256, 192); returns None for None.

    Raises:
        absl.flags.Error: the text has another form.
    """
    if text and not re.fullmatch(r"[1-9]\d*x[1-9]\d*", text):
        raise flags.Error(f"`--{name}` must be HEIGHTxWIDTH, such as 256x192. Received: {text!r}.")
    return tuple(map(int, text.split("x"))) if text else None


def names(kind: type) -> tuple[str, ...]:
    """The names of the fields of a dataclass."""
    return tuple(field.name for field in dataclasses.fields(kind))


def needed(kind: type) -> tuple[str, ...]:
    """The names of the fields without a default."""
    every = dataclasses.fields(kind)
    return tuple(field.name for field in every if field.default is dataclasses.MISSING)


def _kinds(kind):
    """The type of each field, without None."""
    return {name: _inner(hint) for name, hint in typing.get_type_hints(kind).items()}


def _inner(hint):
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        kinds = [each for each in typing.get_args(hint) if each is not type(None)]
        scalar = [each for each in kinds if each in (bool, int, float) or typing.get_args(each)]
        return scalar[0] if scalar else str
    return hint
