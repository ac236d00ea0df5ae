"""Dataclasses as flags: fields of one name in several dataclasses."""

from dataclasses import dataclass

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
