"""Training on several devices: strategies, their shares of the data, and `fit` for all of them.

Several machines find each other by the environment variable `TF_CONFIG`, in which only the index
differs between them:

    {"cluster": {"worker": ["10.0.0.1:2345", "10.0.0.2:2345"]},
     "task": {"type": "worker", "index": 0}}

On Kubernetes, a TFJob of Kubeflow's training operator sets it. A Slurm step does not need it: start
one task per machine with `srun` and choose the strategy "slurm".

If a worker dies or hangs, the others end within half a minute, by TensorFlow's heartbeats (4 to
14 s were measured). Start all of them again, and the run resumes from its last checkpoint.
"""

import json
import os
from collections.abc import Callable

import keras
import tensorflow as tf

from hrnet_tf.names import check_choice
from hrnet_tf.patches.keras_fit import build_from_specs, return_vectors, sum_gradients_first

STRATEGIES = ("auto", "none", "mirrored", "multi_worker", "slurm", "tpu")


def strategy(name: str = "auto") -> tf.distribute.Strategy:
    """Makes the strategy of this name; call it before TensorFlow computes anything.

    Args:
        name: "none": one device; "mirrored": all GPUs of this machine; "multi_worker": the machines
            in `TF_CONFIG`; "slurm": those of a Slurm step; "tpu": the TPU of this machine;
            "auto": "multi_worker" if `TF_CONFIG` names several, else "mirrored" if there are
            several GPUs, else "none".

    Raises:
        ValueError: there is no such strategy, or the environment lacks what it needs.
        RuntimeError: several workers were asked for after TensorFlow had computed something.
    """
    check_choice("distribute", name, STRATEGIES)
    if name == "slurm":
        os.environ["TF_CONFIG"] = slurm_config()
    if name == "auto":
        several = len(tf.config.list_physical_devices("GPU")) > 1
        name = "multi_worker" if _workers() > 1 else "mirrored" if several else "none"
    match name:
        case "none":
            return tf.distribute.get_strategy()
        case "mirrored":
            return tf.distribute.MirroredStrategy()
        case "tpu":
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect("local")
            return tf.distribute.TPUStrategy(resolver)
    if not _workers():
        raise ValueError(f"`distribute={name}` needs the machines in TF_CONFIG; it names none.")
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        if "program startup" not in str(error):
            raise
        raise RuntimeError(
            "Several workers must be joined before TensorFlow computes anything in this process: "
            "call `distribute.strategy` first."
        ) from error


def _workers() -> int:
    """The number of workers in TF_CONFIG."""
    text = os.environ.get("TF_CONFIG") or "{}"
    try:
        cluster = json.loads(text).get("cluster", {})
        return sum(len(cluster.get(kind, ())) for kind in ("chief", "worker"))
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"TF_CONFIG must be JSON with a cluster. Received: {text!r}.") from None


def slurm_config() -> str:
    """TF_CONFIG for this task of a Slurm step."""
    try:  # the resolver is used for addresses only; Slurm assigns the GPUs
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            gpus_per_node=1024, gpus_per_task=1, auto_set_gpu=False
        )
    except RuntimeError as error:
        raise ValueError(f"`distribute=slurm` works in a task of `srun`: {error}") from error
    cluster = resolver.cluster_spec().as_dict()
    task = {"type": resolver.task_type, "index": resolver.task_id}
    return json.dumps({"cluster": cluster, "task": task})


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes files and shows progress."""
    resolver = strategy.cluster_resolver
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) or not resolver:
        return True
    first = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
    return resolver.task_type in (None, first) and not resolver.task_id


def any_worker(strategy: tf.distribute.Strategy, flag: bool) -> bool:
    """Whether `flag` is True in any process; all processes must call this together."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return flag
    flags = strategy.experimental_distribute_values_from_function(lambda _: tf.constant(int(flag)))
    return bool(strategy.reduce("SUM", flags, axis=None) > 0)


def feed(
    strategy: tf.distribute.Strategy, make: Callable[[int, int, int], tf.data.Dataset]
) -> tf.data.Dataset:
    """The data set that `fit` reads with this strategy.

    Args:
        strategy: a strategy of TensorFlow.
        make: `make(parts, first_part, local_parts)` cuts each global batch into `parts` parts, and
            yields `local_parts` of these, starting with `first_part`, as separate elements.
    """
    parts = strategy.num_replicas_in_sync
    if parts == 1:
        return make(1, 0, 1)

    def share(context: tf.distribute.InputContext) -> tf.data.Dataset:
        local_parts = parts // context.num_input_pipelines
        return make(parts, context.input_pipeline_id * local_parts, local_parts)

    return strategy.distribute_datasets_from_function(share)


def fit(model: keras.Model, data: tf.data.Dataset, **kwargs) -> keras.callbacks.History:
    """`model.fit` for a model built and compiled under any strategy.

    With synchronized batch normalization, several devices compute the same as one device with the
    same global batch. Without it, each device normalizes by the statistics of its part of the
    batch, and the moving statistics of the first device are evaluated and saved, as in the
    original.

    Raises:
        ConnectionError: another worker has ended.
        ValueError: the model was compiled for XLA, which cannot compile steps of several devices.
    """
    strategy = model.distribute_strategy
    if strategy.num_replicas_in_sync > 1:
        if model.jit_compile and not isinstance(strategy, tf.distribute.TPUStrategy):
            raise ValueError(
                "XLA compiles steps of one device only: train without `xla` on several."
            )
        sum_gradients_first(model.optimizer)
        build_from_specs(model, data.element_spec)
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return_vectors(model)
    try:
        return model.fit(data, shuffle=False, **kwargs)
    except tf.errors.OpError as error:
        _, aborted, reason = error.message.partition("Collective ops is aborted by: ")
        if not aborted:
            raise
        reason = reason.splitlines()[0].rstrip(".")
        raise ConnectionError(
            f"Another worker has ended or cannot be reached ({reason}). Its own output says why; "
            "start all workers again to resume."
        ) from error
