"""Recipes on the command line: a page by name or a JSON file, and `--field=value`."""

import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping

from absl import flags

from hrnet_tf.labels.keypoint_files import read_keypoint_set
from hrnet_tf.labels.keypoint_sets import KEYPOINT_SETS
from hrnet_tf.tasks.pose.card import CODECS
from hrnet_tf.tasks.pose.codecs import Codec
from hrnet_tf.training.recipe import KINDS, PAGES, Recipe, check_fields, load_recipe


def define_flags(values: flags.FlagValues) -> None:
    """A flag for each field of a recipe, explained by the recipe's docstring."""
    for name, text in field_help().items():
        flags.DEFINE_string(name, None, text, flag_values=values)


def resolve(values: flags.FlagValues, words: list[str]) -> Recipe:
    """The recipe that the one word names, with the flags of `define_flags` that were given.

    Raises:
        absl.flags.Error: not one word.
        OSError: a file cannot be read.
        ValueError: no such recipe, or text that is no value for its field.
    """
    if len(words) != 1:
        raise flags.Error(
            f"name one recipe, {', '.join(PAGES)} or a .json file. "
            f"Received: {' '.join(words) or 'none'}."
        )
    changes = {name: values[name].value for name in field_help() if values[name].present}
    return override(load_recipe(words[0]), changes)


def field_help() -> dict[str, str]:
    """What each field of a recipe means: the `Attributes` of its docstring, in their order."""
    text = inspect.getdoc(Recipe).partition("Attributes:\n")[2].partition("\n\n")[0]
    entries = re.findall(r"^    (\w[\w, ]*): (.*(?:\n {8}.*)*)", text, re.MULTILINE)
    return {
        name: " ".join(meaning.split()).rstrip(".")
        for names, meaning in entries
        for name in names.split(", ")
    }


def override(
    recipe: Recipe, changes: Mapping[str, str], report: Callable[[str], None] = print
) -> Recipe:
    """The recipe with some fields replaced by values in text, such as `{"epochs": "3"}`.

    A codec goes by its name, `dark`, or with settings, `dark,sigma=3,blur_kernel=17`; those not
    named stay as they are where the old codec has them. Keypoints are the name of a set or the
    path of a keypoint file. Sequences are separated by commas; an empty text is an empty one.

    Where the batch changes and the learning rate is not given, the rate changes in proportion
    (Goyal et al. 2017), and `report` receives a line that says so.

    Raises:
        ValueError: an unknown field, or text that is no value for it.
    """
    check_fields(changes)
    values = {name: _parse(name, text, getattr(recipe, name)) for name, text in changes.items()}
    changed = dataclasses.replace(recipe, **values)
    old, new = (each.batch_size * each.accumulation for each in (recipe, changed))
    if new == old or "learning_rate" in changes:
        return changed
    rate = recipe.learning_rate * new / old
    report(
        f"learning_rate: {recipe.learning_rate:g} becomes {rate:g}, in proportion to the batch "
        f"({new} in place of {old}); --learning_rate sets another."
    )
    return dataclasses.replace(changed, learning_rate=rate)


def _parse(name: str, text: str, current: object) -> object:
    """The value that `text` names for a field that now holds `current`."""
    if name == "codec":
        return _parse_codec(text, current)
    if name == "keypoints" and text.endswith(".json"):
        return read_keypoint_set(text)
    if name == "keypoints":
        return _choose(name, text, KEYPOINT_SETS)
    if isinstance(current, bool):
        return _choose(name, text, {"true": True, "false": False})
    if isinstance(current, str) or name == "arch":
        return text
    try:
        if isinstance(current, tuple):
            return tuple(int(part) for part in text.strip("()").split(",") if part.strip())
        return type(current)(text)
    except ValueError:
        kind = KINDS[type(current)]
        raise ValueError(f"`{name}` must be {kind}. Received: {name}={text!r}.") from None


def _parse_codec(text: str, current: Codec) -> Codec:
    name, *settings = text.split(",")
    kind = _choose("codec", name, CODECS)
    types = {field.name: field.type for field in dataclasses.fields(kind)}
    values = {key: getattr(current, key) for key in types if hasattr(current, key)}
    for setting in settings:
        key, _, value = setting.partition("=")
        try:
            values[key] = types[key](value)
        except (KeyError, ValueError):
            raise ValueError(
                f"`codec` {name} must be set as {','.join((name, *(f'{k}=…' for k in types)))}. "
                f"Received: codec={text!r}."
            ) from None
    return kind(**values)


def _choose(name: str, text: str, choices: Mapping[str, object]) -> object:
    if text not in choices:
        known = ", ".join(choices)
        raise ValueError(f"`{name}` must be one of {known}. Received: {name}={text!r}.")
    return choices[text]
