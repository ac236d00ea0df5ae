"""The learning rate of each step."""

import keras
from keras import ops
from keras.optimizers import schedules

from hrnet_tf.training.recipe import Recipe


@keras.saving.register_keras_serializable(package="hrnet_tf")
class WarmUp(schedules.LearningRateSchedule):
    """Multiplies a schedule by a factor that rises linearly to 1 (OpenMMLab's linear warm-up).

    Args:
        schedule: the other schedule, which also counts the steps of the warm-up.
        steps: number of steps until the factor is 1.
        start: the factor at the first step.
    """

    def __init__(self, schedule: schedules.LearningRateSchedule, steps: int, start: float):
        super().__init__()
        self.schedule, self.steps, self.start = schedule, steps, start

    def __call__(self, step):
        share = ops.minimum(ops.cast(step, "float32") / self.steps, 1.0)
        return self.schedule(step) * (self.start + (1 - self.start) * share)

    def get_config(self):
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "steps": self.steps, "start": self.start}

    @classmethod
    def from_config(cls, config):
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(**config | {"schedule": schedule})


def learning_rate(recipe: Recipe, steps: int) -> schedules.LearningRateSchedule:
    """The learning rate at each step: a warm-up, then tenfold drops at milestones, or a cosine.

    Args:
        recipe: has rate, milestones, warm-up and epochs.
        steps: number of steps in an epoch.

    Returns:
        A schedule made of Keras' schedules and `WarmUp`. The cosine starts at the end of the
        warm-up and falls to 0; milestones are counted from the first step.
    """
    rate, warm, start = recipe.learning_rate, recipe.warmup_steps, recipe.warmup_start
    if not recipe.milestones:
        length = max(steps * recipe.epochs - warm, 1)
        if not warm:
            return schedules.CosineDecay(rate, length)
        return schedules.CosineDecay(start * rate, length, warmup_target=rate, warmup_steps=warm)
    rates = [rate * 0.1**drop for drop in range(len(recipe.milestones) + 1)]
    # Keras counts steps from 0; the step equal to a boundary is the last one before the drop.
    drops = [steps * milestone - 1 for milestone in recipe.milestones]
    schedule = schedules.PiecewiseConstantDecay(drops, rates)
    return WarmUp(schedule, warm, start) if warm else schedule
