"""How far the outputs of a converted file are from those of the network it was made of."""

import dataclasses
from collections.abc import Callable, Container, Mapping

import numpy as np

from hrnet_tf.convert.examples import batched, count
from hrnet_tf.runtime.network import Arrays, Network

BATCH = 8  # examples per call of the source
# What float32 rounding may cause: this many standard deviations of an output, and this share of its
# largest number, for outputs that hardly vary.
NOISE = (5e-3, 3e-5)
FEW = 0.01  # share of whole numbers, such as indices of maxima, that rounding may change

Source = Callable[[Arrays], Mapping[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Difference:
    """How far a file's outputs are from those of its source.

    Attributes:
        crops: number of examples that were compared.
        maximum: the largest difference, in standard deviations of the source's output.
        mean: the mean difference, likewise, of the output where it is largest.
        cosine: of the angle between both outputs, 1 if they agree; the lowest of all outputs.
        noise: the largest difference as a multiple of what float32 rounding may cause, see `NOISE`.
    """

    crops: int
    maximum: float
    mean: float
    cosine: float
    noise: float


def differences(
    network: Network, source: Source, examples: Arrays, decoded: Container[str] = ()
) -> Difference:
    """Compares all outputs of a file, by name, on all examples.

    Args:
        network: of `open_converted`.
        source: see `verify`. What it returns besides the file's outputs is passed over; a lone
            output may have another name.
        examples: likewise.
        decoded: names of outputs that jump where rounding changes a maximum; they do not count as
            noise.

    Raises:
        ValueError: `examples` do not fit the network, it has not the source's outputs, or they are
            not finite.
    """
    examples = _fitting(network.inputs, examples)
    pairs = [(network(each), source(each)) for each in batched(examples, BATCH)]
    ours, theirs = (_joined(side) for side in zip(*pairs, strict=True))
    if len(ours) == len(theirs) == 1:
        theirs = dict(zip(ours, theirs.values(), strict=True))
    wanted = {name: theirs[name].shape[1:] for name in ours if name in theirs}
    shapes = {name: each.shape[1:] for name, each in ours.items()}
    if shapes != wanted:
        every = {name: each.shape[1:] for name, each in theirs.items()}
        raise ValueError(
            f"The file must give what its source gives, {every}. "
            f"Received: {shapes}. Was it made from this network?"
        )
    if not all(np.isfinite(each).all() for each in ours.values()):
        raise ValueError(
            "The file gives numbers that are not finite, so it is of no use. Does its source, on "
            "these examples? If not, convert it in another precision."
        )
    found = [_difference(each, theirs[name]) for name, each in ours.items()]
    maximum, mean, cosine = (np.array(each) for each in zip(*found, strict=True))
    largest, lowest = float(maximum.max()), float(cosine.min())
    noise = max(
        (_noise(each, theirs[name]) for name, each in ours.items() if name not in decoded),
        default=0.0,
    )
    return Difference(count(examples), largest, float(mean.max()), lowest, float(noise))


def _fitting(inputs, examples):
    """The arrays that a network takes, if they are at least one example."""
    wanted = {name: examples.get(name, np.zeros(0)) for name in inputs}
    for name, shape in inputs.items():
        received = wanted[name].shape
        fits = len(received) == len(shape) + 1 and received[0]
        if not fits or any(n not in (None, m) for n, m in zip(shape, received[1:], strict=True)):
            raise ValueError(
                f"`examples` must be at least one array {name} of {shape}. Received: {received}."
            )
    return wanted


def _joined(batches):
    """Outputs of all batches, by name."""
    return {name: np.concatenate([each[name] for each in batches]) for name in batches[0]}


def _noise(ours, theirs):
    if theirs.dtype.kind in "iub":
        return (ours != theirs).mean() / FEW
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    allowed = NOISE[0] * theirs.std() + NOISE[1] * np.abs(theirs).max(initial=0)
    return np.abs(ours - theirs).max(initial=0) / (allowed or NOISE[1])


def _difference(ours, theirs):
    ours, theirs = ours.ravel().astype(np.float64), theirs.ravel().astype(np.float64)
    difference, deviation = np.abs(ours - theirs), theirs.std() or 1.0
    lengths = np.sqrt((ours @ ours) * (theirs @ theirs)) or 1.0
    return difference.max() / deviation, difference.mean() / deviation, ours @ theirs / lengths
