"""Dataclasses as flags: fields of one name in several dataclasses."""

import re
from dataclasses import dataclass, field

import pytest
from absl import flags

from hrnet_tf import fields


@dataclass(frozen=True)
class People:
    """Boxes.

    Attributes:
        least: lowest score.
        same: a number.
    """

    least: float = 0.3
    same: int = 2


@dataclass(frozen=True)
class Objects:
    """Objects.

    Attributes:
        least: lowest score.
        same: a number.
        names: some names.
    """

    least: float | None = None
    same: int = 2
    names: tuple[str, ...] | None = None


def _read(*words):
    values = flags.FlagValues()
    for kind in (People, Objects):
        fields.define(values, kind)
    values(["x", *words])
    return values, fields.read(values, People), fields.read(values, Objects)


def test_each_dataclass_has_its_own_default_of_a_shared_flag():
    values, people, objects = _read()
    assert (people, objects) == (People(), Objects())
    assert values["least"].default is None and values["same"].default == 2


def test_a_shared_flag_that_is_given_holds_for_all():
    _, people, objects = _read("--least=0.5", "--same=3", "--names=traffic light,car")
    assert people == People(0.5, 3)
    assert objects == Objects(0.5, 3, ("traffic light", "car"))


@dataclass(frozen=True)
class Dependent:
    """Fields with an effect only beside others.

    Attributes:
        kind: of two.
        size: of kind b.
        file: any.
        folder: of the file.
        plain: without a file.
    """

    kind: str = "a"
    size: int = field(default=1, metadata={"only": ("kind", ("b", "c"))})
    file: str | None = None
    folder: str | None = field(default=None, metadata={"only": ("file", None)})
    plain: bool = field(default=False, metadata={"only": ("file", (None,))})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--size=1"], "`--size` goes with --kind=b or c."),
        (["--size=1", "--kind=b"], ""),
        (["--folder=x"], "`--folder` goes with --file."),
        (["--folder=x", "--file=y"], ""),
        (["--plain", "--file=y"], "`--plain` goes without --file."),
        (["--plain"], ""),
    ],
)
def test_a_flag_without_effect_is_refused(words, said):
    values = flags.FlagValues()
    fields.define(values, Dependent)
    values(["command", *words])
    if said:
        with pytest.raises(flags.Error, match=re.escape(said)):
            fields.read(values, Dependent)
    else:
        fields.read(values, Dependent)
