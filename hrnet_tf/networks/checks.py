"""Checks of the arguments of builders; each error says what to do instead."""

from hrnet_tf.names import did_you_mean
from hrnet_tf.networks.specs import SPECS, HRNetSpec, LiteHRNetSpec

Arch = str | HRNetSpec | LiteHRNetSpec

MULTIPLE = 32  # the coarsest stream halves the image five times


def spec_of(arch: Arch) -> HRNetSpec | LiteHRNetSpec:
    """The spec that `arch` names, or `arch` itself if it is one.

    Raises:
        ValueError: no architecture has that name.
    """
    if isinstance(arch, HRNetSpec | LiteHRNetSpec):
        return arch
    if arch in SPECS:
        return SPECS[arch]
    raise ValueError(
        f"`arch` must name an architecture or be a spec. Received: arch={arch!r}."
        f"{did_you_mean(arch, SPECS)}"
    )


def check_input_shape(input_shape, multiple, dynamic):
    """Raises ValueError unless the network can take the shape; `dynamic` allows None as a side."""
    try:
        height, width, channels = input_shape
        if channels is None or channels < 1:
            raise TypeError
        sizes = [size for size in (height, width) if size is not None]
        bad = [size for size in sizes if size < MULTIPLE or size % multiple]
    except (TypeError, ValueError):
        raise ValueError(
            "`input_shape` must be (height, width, channels). "
            f"Received: input_shape={input_shape!r}. A usual one is (256, 192, 3)."
        ) from None
    if len(sizes) < 2 and not dynamic:
        raise ValueError(
            "`input_shape` must have a fixed height and width for this architecture. "
            f"Received: input_shape={input_shape!r}."
        )
    if bad:
        smallest = max(multiple, MULTIPLE)
        near = tuple(
            size and max(smallest, round(size / multiple) * multiple) for size in (height, width)
        )
        rule = f"multiples of {multiple}" if multiple > 1 else f"at least {MULTIPLE}"
        raise ValueError(
            f"`input_shape` must have a height and width that are {rule}. "
            f"Received: input_shape={tuple(input_shape)}. The nearest is {(*near, channels)}."
        )


def hrnet_only(arch, task):
    """Raises ValueError for a Lite-HRNet."""
    if isinstance(spec_of(arch), LiteHRNetSpec):
        raise ValueError(
            f"`arch` must be an HRNet for {task}. Received: arch={arch!r}, a Lite-HRNet. "
            "w18_small_v1 is the smallest HRNet."
        )


def check_count(name, value, example):
    """Raises ValueError unless the value is a positive integer."""
    if not isinstance(value, int) or value < 1:
        raise ValueError(
            f"`{name}` must be a positive integer. Received: {name}={value!r}. {example}"
        )
