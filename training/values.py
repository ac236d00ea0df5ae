"""Rules for the values of recipes, and their forms in JSON and on the command line."""

import dataclasses
import math
import typing
from collections.abc import Callable, Mapping

from hrnet_tf.names import check_choice
from hrnet_tf.networks.checks import Arch
from hrnet_tf.networks.specs import HRNetSpec, LiteHRNetSpec

SPECS = {kind.__name__: kind for kind in (HRNetSpec, LiteHRNetSpec)}
KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a finite number",
    str: "text",
}
KINDS_OF_TUPLES = {
    int: "whole numbers with commas",
    float: "finite numbers with commas",
    str: "texts with commas",
}


@dataclasses.dataclass(frozen=True)
class Form:
    """The written form of a value that is neither a number, a text nor a tuple.

    Attributes:
        to_plain: value -> an object that JSON can hold.
        from_plain: that object, with tuples in place of lists -> value.
        from_text: (text of the command line, the value that it replaces) -> value.
    """

    to_plain: Callable[[object], object]
    from_plain: Callable[[object], object]
    from_text: Callable[[str, object], object]


def _arch_to_plain(arch: Arch) -> object:
    return arch if isinstance(arch, str) else {"spec": type(arch).__name__, **vars(arch)}


def _arch_from_plain(plain: object) -> Arch:
    if not isinstance(plain, dict):
        return plain
    values = dict(plain)
    return SPECS[values.pop("spec")](**values)


ARCH = Form(_arch_to_plain, _arch_from_plain, lambda text, _: text)


def broken_rule(field: dataclasses.Field, value: object) -> str:
    """The rule of a field's type or `choices` that a value breaks; empty if it breaks none.

    Fields whose type is a union, such as names or specs, are checked by the dataclass.
    """
    choices = field.metadata.get("choices")
    if field.type in (bool, int, str):
        valid, rule = type(value) is field.type, f"be {KINDS[field.type]}"
    elif field.type is float:
        valid, rule = _is_number(value), f"be {KINDS[float]}"
    elif typing.get_origin(field.type) is tuple:
        kind = element(field)
        fits = _is_number if kind is float else lambda each: type(each) is kind
        valid = isinstance(value, tuple) and all(map(fits, value))
        rule = f"be {KINDS_OF_TUPLES[kind]}"
    elif isinstance(field.type, type):
        valid, rule = isinstance(value, field.type), f"be a {field.type.__name__}"
    else:
        valid, rule = True, ""
    if valid and choices:
        valid, rule = value in choices, f"be one of {', '.join(choices)}"
    return "" if valid else rule


def element(field: dataclasses.Field) -> type:
    """The type of a tuple field's elements: int, float or str."""
    return typing.get_args(field.type)[0]


def _is_number(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)


def choose(name: str, text: str, choices: Mapping[str, object]) -> object:
    """The choice that has the name `text`; raises ValueError if there is none."""
    check_choice(name, text, choices)
    return choices[text]
