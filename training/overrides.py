"""Recipes from the command line: the name of a page or a JSON file, and `--field=value`."""

import dataclasses
from collections.abc import Callable, Mapping

from absl import flags

from hrnet_tf.fields import joint_help, misplaced
from hrnet_tf.training.recipe import (
    PAGES,
    TASKS,
    Recipe,
    check_fields,
    load_recipe,
    recipe_class,
    values_of,
)
from hrnet_tf.training.values import KINDS, KINDS_OF_TUPLES, choose, element


def define_flags(values: flags.FlagValues) -> None:
    """Defines a flag for each field of any task's recipes, with help from their docstrings."""
    for name, text in all_fields().items():
        flags.DEFINE_string(name, None, text, flag_values=values)


def resolve(values: flags.FlagValues, words: list[str]) -> Recipe:
    """The recipe that `words` name, with the values of the flags that were given.

    Raises:
        absl.flags.Error: there is not exactly one word.
        OSError: a file cannot be read.
        ValueError: there is no such recipe, or a text is no value for its field.
    """
    if len(words) != 1:
        raise flags.Error(
            f"name one recipe, {', '.join(PAGES)} or a .json file. "
            f"Received: {' '.join(words) or 'none'}."
        )
    changes = {name: values[name].value for name in all_fields() if values[name].present}
    return override(load_recipe(words[0]), changes)


def all_fields() -> dict[str, str]:
    """The help text of each field of any task's recipes; texts that differ name their task."""
    return joint_help({task: recipe_class(task) for task in TASKS})


def override(
    recipe: Recipe, changes: Mapping[str, str], report: Callable[[str], None] = print
) -> Recipe:
    """The recipe with some fields replaced by values in text, such as `{"epochs": "3"}`.

    A codec is written as its name, `dark`, or with settings, `dark,sigma=3,blur_kernel=17`; it
    takes other settings from the old codec if that has them. Keypoints are the name of a set or
    the path of a keypoint file. Sequences are separated by commas; an empty text is an empty one.

    If the batch size changes and the learning rate is not given, the rate changes in proportion
    (Goyal et al. 2017), and `report` receives a line that says so.

    Raises:
        ValueError: a field is unknown, or a text is no value for it.
    """
    check_fields(type(recipe), changes)
    values = {name: _parse(recipe, name, text) for name, text in changes.items()}
    changed = dataclasses.replace(recipe, **values)
    if reason := misplaced(changed, changes):
        raise ValueError(reason)
    old, new = (each.batch_size * each.accumulation for each in (recipe, changed))
    if new == old or "learning_rate" in changes:
        return changed
    rate = recipe.learning_rate * new / old
    report(
        f"learning_rate: {recipe.learning_rate:g} becomes {rate:g}, in proportion to the batch "
        f"({new} in place of {old}); --learning_rate sets another."
    )
    return dataclasses.replace(changed, learning_rate=rate)


def _parse(recipe: Recipe, name: str, text: str) -> object:
    """Parses the value of a recipe's field."""
    current = getattr(recipe, name)
    if name in recipe.forms:
        return recipe.forms[name].from_text(text, current)
    if isinstance(current, bool):
        return choose(name, text, {"true": True, "false": False})
    if isinstance(current, str):
        return text
    (field,) = (each for each in values_of(type(recipe)) if each.name == name)
    try:
        if not isinstance(current, tuple):
            rule = KINDS[type(current)]
            return type(current)(text)
        rule = KINDS_OF_TUPLES[element(field)]
        return tuple(element(field)(part) for part in text.strip("()").split(",") if part.strip())
    except ValueError:
        raise ValueError(f"`{name}` must be {rule}. Received: {name}={text!r}.") from None
