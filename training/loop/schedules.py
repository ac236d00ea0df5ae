"""The learning rate of each step."""

import keras
from keras import ops
from keras.optimizers import schedules

from hrnet_tf.training.recipe import Recipe


@keras.saving.register_keras_serializable(package="hrnet_tf")
class WarmUp(schedules.LearningRateSchedule):
    """Multiplies a schedule by a factor below 1 in the first steps (OpenMMLab's warm-ups).

    Args:
        schedule: the other schedule, which also counts the steps of the warm-up.
        steps: number of steps until the factor is 1.
        start: the factor at the first step.
        constant: whether it stays the same until then; otherwise it rises linearly.
    """

    def __init__(
        self,
        schedule: schedules.LearningRateSchedule,
        steps: int,
        start: float,
        constant: bool = False,
    ):
        super().__init__()
        self.schedule, self.steps, self.start = schedule, steps, start
        self.constant = constant

    def __call__(self, step):
        share = ops.minimum(ops.cast(step, "float32") / self.steps, 1.0)
        if self.constant:
            share = ops.floor(share)
        return self.schedule(step) * (self.start + (1 - self.start) * share)

    def get_config(self):
        names = ("steps", "start", "constant")
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_config(cls, config):
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(**config | {"schedule": schedule})


@keras.saving.register_keras_serializable(package="hrnet_tf")
class Poly(schedules.LearningRateSchedule):
    """`(rate - end) * (1 - k / length) ** power + end` at step `k + delay`, then constant.

    The original sets the rate after each step, so its steps 0 and 1 both have the first rate:
    `delay` is 1 (`adjust_learning_rate` in `lib/utils/utils.py` of HRNet-Semantic-Segmentation).

    Args:
        rate: the first rate.
        length: number of steps until the last rate.
        power: of the fall.
        end: the last rate.
        delay: number of further steps with the first rate.
    """

    def __init__(self, rate: float, length: int, power: float, end: float = 0.0, delay: int = 0):
        super().__init__()
        self.rate, self.length, self.power = rate, length, power
        self.end, self.delay = end, delay

    def __call__(self, step):
        done = ops.maximum(ops.cast(step, "float32") - self.delay, 0.0) / self.length
        left = ops.power(ops.maximum(1.0 - done, 0.0), self.power)
        return (self.rate - self.end) * left + self.end

    def get_config(self):
        names = ("rate", "length", "power", "end", "delay")
        return {name: getattr(self, name) for name in names}


def learning_rate(recipe: Recipe, steps: int) -> schedules.LearningRateSchedule:
    """The learning rate at each step: a warm-up, then drops at milestones, a power or a cosine.

    Args:
        recipe: has rate, milestones, power, warm-up and epochs.
        steps: number of steps in an epoch.

    Returns:
        A schedule made of Keras' schedules, `Poly` and `WarmUp`. The cosine starts at the end of
        the warm-up and falls to 0; all others are counted from the first step. With a `least_rate`
        the power is that of OpenMMLab, which reaches it at the last step; without, the original's.
    """
    rate, warm, start = recipe.learning_rate, recipe.warmup_steps, recipe.warmup_start
    constant = recipe.warmup == "constant"
    length = steps * recipe.epochs
    if recipe.power:
        end = recipe.least_rate
        schedule = Poly(rate, max(length - 1, 1), recipe.power, end)
        schedule = schedule if end else Poly(rate, length, recipe.power, delay=1)
    elif recipe.milestones:
        rates = [rate * 0.1**drop for drop in range(len(recipe.milestones) + 1)]
        # Keras counts steps from 0; the step equal to a boundary is the last one before the drop.
        drops = [steps * milestone - 1 for milestone in recipe.milestones]
        schedule = schedules.PiecewiseConstantDecay(drops, rates)
    else:
        length = max(length - warm, 1)
        if not warm:
            return schedules.CosineDecay(rate, length)
        first = rate if constant else start * rate
        schedule = schedules.CosineDecay(first, length, warmup_target=rate, warmup_steps=warm)
        if not constant:
            return schedule
    return WarmUp(schedule, warm, start, constant) if warm else schedule


def change_of_rate(old: Recipe, new: Recipe, steps: int, step: int) -> str:
    """A sentence about the rate of a run that goes on with more epochs.

    Milestones count from the first step, so the rate stays what it would have been. A cosine and a
    power end with the run: from here on the rate is what it is in a run that was as long from its
    start.

    Args:
        old: the recipe so far.
        new: the one with more epochs.
        steps: number of steps in an epoch.
        step: number of steps that are done.
    """
    before, after = (float(learning_rate(each, steps)(step)) for each in (old, new))
    if new.milestones and not new.power:
        later = [str(each) for each in new.milestones if each * steps > step]
        drops = f"drops after epoch {', '.join(later)}" if later else "does not drop again"
        return f"The learning rate is {after:.3g} and {drops}."
    return (
        f"The learning rate falls over {new.epochs} epochs in place of {old.epochs}: from here on "
        f"it is {after:.3g}, which was {before:.3g}."
    )
