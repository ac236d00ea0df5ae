"""A recipe: every value that a training run depends on, as frozen data.

`Recipe` holds the values that every run has; a task's subclass adds the values of that task. A file
in `recipes/<task>/` is called a page: a docstring with source, hardware and command, followed by
`RECIPE = PoseRecipe(...)` and the published result. `recipe.json` beside a trained model holds the
recipe's values; `overrides.py` reads values from the command line.
"""

import dataclasses
import importlib
import json
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

from hrnet_tf.cards import NAMES
from hrnet_tf.cards.card import Card, frozen
from hrnet_tf.names import did_you_mean
from hrnet_tf.networks.checks import MULTIPLE, Arch, spec_of
from hrnet_tf.training.recipes import PAGES, TASKS
from hrnet_tf.training.values import ARCH, Form, broken_rule

OPTIMIZERS = ("adam", "sgd")
SGD = ("optimizer", ("sgd",))  # with which a value has an effect; see `fields.misplaced`
WARMUPS = ("linear", "constant")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


@dataclasses.dataclass(frozen=True)
class Expected:
    """The published result of a training with the values of a page.

    Attributes:
        numbers: by their names in `Evaluation.numbers`, shares as fractions.
        note: how they were measured, if it differs from the other pages of the family.
    """

    numbers: Mapping[str, float]
    note: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train and judge one network; the subclass of a task adds the values of its data.

    Attributes:
        arch: a name of `hrnet_tf.SPECS`, or a spec.
        input_size: height and width of the crops.
        train_annotations: annotation file to train on.
        train_images: folder of its images.
        train_records: TFRecords that hold both, as 'DIR/*.tfrecord', in their place.
        val_annotations: annotation file to evaluate on; none where empty.
        val_images: folder of its images.
        weights: checkpoint to start from: path, address or preset; from scratch where empty.
        optimizer: "adam", or "sgd" with `momentum` and `weight_decay` as in PyTorch.
        momentum: of SGD.
        nesterov: whether SGD's momentum is Nesterov's.
        weight_decay: of SGD, for every weight; see `decay_biases`.
        learning_rate: learning rate for `batch_size`.
        milestones: epochs after which the rate drops tenfold; without any it follows a cosine to 0.
        power: the rate falls with each step as (1 - step / steps of the run) ** power, instead of
            milestones or a cosine; 0: it does not.
        least_rate: the rate that a `power` falls to.
        head_rate: factor of the learning rate in the head of the network.
        bias_rate: factor of the learning rate of biases, but for those of normalization.
        decay_biases: whether weight decay holds for biases, too, also those of normalization.
        warmup_steps: steps in which the rate is lower than the schedule's.
        warmup_start: share of the rate that the warm-up starts from.
        warmup: "linear": the rate rises from that share to the whole; "constant": it stays there
            until the warm-up ends.
        epochs: passes over the training data.
        batch_size: crops per step, on all devices together.
        seed: seed of weights, order and augmentation.
        clip_norm: largest norm of all gradients together; 0: any.
        accumulation: batches whose gradients are averaged before each update.
        ema: momentum of the averaged weights that are evaluated and published; 0: none.
        precision: "float32", "mixed_float16" or "mixed_bfloat16"; head and loss stay float32.
        frozen_norm: normalization keeps its statistics: for few images.
        sync_norm: normalization by the statistics of all devices.
        evaluate_every: epochs between evaluations on the validation data; 0: never.
        patience: evaluations without a better result before the run ends early; 0: never.

    `expected`, the published result of a page, is no value that a run depends on: it is not
    compared, not saved and no flag.

    Raises:
        ValueError: a value that no run could use.
    """

    task: ClassVar[str]
    multiple: ClassVar[int] = MULTIPLE  # of both sides of `input_size`
    forms: ClassVar[Mapping[str, Form]] = {"arch": ARCH}
    arch: Arch
    input_size: tuple[int, int]
    train_annotations: str
    train_images: str
    train_records: str = ""
    val_annotations: str = ""
    val_images: str = ""
    weights: str = ""
    optimizer: str = dataclasses.field(default="adam", metadata={"choices": OPTIMIZERS})
    momentum: float = dataclasses.field(default=0.9, metadata={"only": SGD})
    nesterov: bool = dataclasses.field(default=False, metadata={"only": SGD})
    weight_decay: float = 0.0
    learning_rate: float = 1e-3
    milestones: tuple[int, ...] = dataclasses.field(
        default=(170, 200), metadata={"only": ("power", (0.0,))}
    )
    power: float = 0.0
    least_rate: float = dataclasses.field(default=0.0, metadata={"only": ("power", None)})
    head_rate: float = 1.0
    bias_rate: float = 1.0
    decay_biases: bool = True
    warmup_steps: int = 0
    warmup_start: float = dataclasses.field(
        default=0.001, metadata={"only": ("warmup_steps", None)}
    )
    warmup: str = dataclasses.field(
        default="linear", metadata={"choices": WARMUPS, "only": ("warmup_steps", None)}
    )
    epochs: int = 210
    batch_size: int = 128
    seed: int = 0
    clip_norm: float = 0.0
    accumulation: int = 1
    ema: float = 0.0
    precision: str = dataclasses.field(default="float32", metadata={"choices": PRECISIONS})
    frozen_norm: bool = False
    sync_norm: bool = False
    evaluate_every: int = 10
    patience: int = dataclasses.field(default=0, metadata={"only": ("evaluate_every", None)})
    expected: Expected | None = dataclasses.field(default=None, compare=False)

    def __post_init__(self):
        spec_of(self.arch)
        for field in values_of(type(self)):
            if rule := broken_rule(field, getattr(self, field.name)):
                self._require(field.name, False, rule)
        rates = ("learning_rate", "head_rate", "bias_rate")
        for name in (*rates, "epochs", "batch_size", "accumulation"):
            self._require(name, getattr(self, name) > 0, "be positive")
        self._require_share("warmup_start")
        for name in ("ema", "momentum"):
            self._require(name, 0 <= getattr(self, name) < 1, "be at least 0 and below 1")
        counts = ("warmup_steps", "seed", "clip_norm", "evaluate_every", "patience", "weight_decay")
        for name in (*counts, "power", "least_rate"):
            self._require(name, getattr(self, name) >= 0, "not be negative")
        decays = self.weight_decay and self.optimizer != "sgd"
        self._require("weight_decay", not decays, "be 0 with Adam, which does not know it")
        known = self.decay_biases or self.optimizer == "sgd"
        self._require("decay_biases", known, "be true with Adam, by which nothing decays")
        multiple = self.multiple
        fits = len(self.input_size) == 2 and all(
            x >= MULTIPLE and x % multiple == 0 for x in self.input_size
        )
        rule = f"multiples of {multiple}" if multiple > 1 else f"at least {MULTIPLE}"
        self._require("input_size", fits, f"be a height and a width, {rule}")
        rising = all(a < b for a, b in pairwise((0, *self.milestones)))
        self._require("milestones", rising, "be epochs in rising order")

    def _require_share(self, *names: str) -> None:
        for name in names:
            self._require(name, 0 <= getattr(self, name) <= 1, "lie between 0 and 1")

    def _require(self, name: str, valid: bool, rule: str) -> None:
        if not valid:
            raise ValueError(f"`{name}` must {rule}. Received: {name}={getattr(self, name)!r}.")

    @property
    def is_judged(self) -> bool:
        """Whether the run is evaluated on validation data while it trains."""
        return bool(self.evaluate_every and self.val_annotations)

    @property
    def card(self) -> Card:
        """How to feed the network that this recipe trains."""
        raise NotImplementedError

    def for_card(self, card: Card) -> "Recipe":
        """The recipe with the values of a card, to train its network further."""
        return self

    def to_plain(self) -> dict[str, object]:
        """The task and all values by name, in types that JSON has."""
        values = {field.name: getattr(self, field.name) for field in values_of(type(self))}
        values |= {name: form.to_plain(values[name]) for name, form in self.forms.items()}
        return {"task": self.task, **values}

    def to_json(self) -> str:
        """JSON with all values, a line each: the file `recipe.json` beside a trained model."""
        lines = (
            f"  {json.dumps(key)}: {json.dumps(each)}" for key, each in self.to_plain().items()
        )
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @staticmethod
    def from_plain(values: Mapping[str, object]) -> "Recipe":
        """The recipe that `to_plain` described; fields that are missing get their defaults.

        Values without a task are a pose recipe: earlier versions had no other.

        Raises:
            ValueError: the values are not those of a recipe, or no run could use one of them.
        """
        values = {name: frozen(value) for name, value in values.items()}
        kind = recipe_class(values.pop("task", NAMES[0]))
        check_fields(kind, values)
        try:
            for name in kind.forms.keys() & values.keys():
                values[name] = kind.forms[name].from_plain(values[name])
            return kind(**values)
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"A recipe must have the fields of `to_json`, but {error}. "
                "A newer hrnet_tf may know it."
            ) from None

    @staticmethod
    def from_json(text: str) -> "Recipe":
        """The recipe that `to_json` wrote; see `from_plain`.

        Raises:
            ValueError: the text is not a recipe, or no run could use one of its values.
        """
        try:
            values = json.loads(text)
        except RecursionError:
            raise ValueError("A recipe must be JSON of a few levels.") from None
        except ValueError as error:
            raise ValueError(f"A recipe must be complete JSON, this is not ({error}).") from None
        if not isinstance(values, dict):
            raise ValueError("A recipe must be a JSON object of fields and values.")
        return Recipe.from_plain(values)


def values_of(kind: type[Recipe]) -> list[dataclasses.Field]:
    """The fields that a run depends on, in their order."""
    return [field for field in dataclasses.fields(kind) if field.compare]


def recipe_class(task: str) -> type[Recipe]:
    """The recipe class of a task, from `training.<task>.recipe`: `PoseRecipe` for pose.

    Raises:
        ValueError: networks of this task cannot be trained.
    """
    if task not in TASKS:
        raise ValueError(
            f"`task` of a recipe must be one of {', '.join(TASKS)}. Received: task={task!r}. "
            "A newer hrnet_tf may know it."
        )
    room = importlib.import_module(f"hrnet_tf.training.{task}.recipe")
    return getattr(room, f"{task.title()}Recipe")


def completed(values: Mapping[str, object]) -> dict[str, object]:
    """Completes the JSON values of a recipe from an older version with defaults.

    Two runs can then be compared by their values. Values that are no recipe are returned as they
    are.
    """
    try:
        return json.loads(Recipe.from_plain(values).to_json())
    except ValueError:
        return dict(values)


def load_recipe(name: str) -> Recipe:
    """The recipe on the page `recipes/<task>/<name>.py`, or in a file such as `runs/a/recipe.json`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: there is no such page (the error lists similar names), or the file is not a
            recipe.
    """
    if str(name).endswith(".json"):
        if not Path(name).is_file():
            raise FileNotFoundError(f"`recipe` must be a page or a file. Received: recipe={name}.")
        try:
            return Recipe.from_json(Path(name).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    if name not in PAGES:
        raise ValueError(
            f"`recipe` must be a page in training/recipes or a .json file. Received: "
            f"recipe={name!r}.{did_you_mean(name, PAGES)}"
        )
    return importlib.import_module(f"hrnet_tf.training.recipes.{PAGES[name]}.{name}").RECIPE


def check_fields(kind: type[Recipe], names: Iterable[str]) -> None:
    """Raises a ValueError, which suggests similar names, if a name is no field of the recipes."""
    fields = [field.name for field in values_of(kind)]
    for name in names:
        if name not in fields:
            raise ValueError(
                f"A {kind.task} recipe has no field {name!r}.{did_you_mean(name, fields, n=1)}"
            )
