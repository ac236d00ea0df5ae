"""Training and inference on a GPU: `python benchmarks/gpu.py`, at most eight minutes.

Needs keras, numpy, jax, torch and timm, and no TensorFlow: our networks run on Keras' JAX backend,
compiled, beside timm's in PyTorch with `channels_last` and `torch.compile`. Both are the network of
Sun et al. CVPR 2019 at 256x192 with Adam and the mean squared error, on a batch that stays on the
device. A process for each library, network and precision prints one row: images per second and the
peak of the device's memory, of training and of inference.

float32 may use TF32 in both. bfloat16 means float32 weights and bfloat16 arithmetic in training
(`mixed_bfloat16`, `autocast`), and everything in bfloat16 but the heat maps in inference.

    --device=cpu --small    shows that it runs, with a tiny network; its numbers mean nothing
    --minutes=8             rows that cannot begin within it are left out, and are named
    --train=32 --infer=64   images in a batch
    --libraries jax         ours alone

`pip install jax[cuda12] keras numpy torch timm`; `PEERS=FOLDER` as in `torch_network.py`.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from functools import partial
from itertools import product
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))  # the package need not be installed

from hrnet_tf.networks.specs import SPECS, HRNetSpec  # needs nothing but Python

ARCHS = {name: SPECS[name] for name in ("w32", "w48")}
TINY = {"tiny": HRNetSpec(8, 1, 8, (1, 1, 1), 1)}
PRECISIONS = ("float32", "bfloat16")
LIBRARIES = {"jax": "hrnet_tf, JAX", "torch": "timm, PyTorch"}
ROW = "{:<16} {:<5} {:<9} {:>10} {:>9} {:>10} {:>9} {:>9}"
COLUMNS = ("train", "train_peak", "infer", "infer_peak")
HEAD = ("", "", "", "train/s", "GiB", "infer/s", "GiB", "ready s")


def rate(step, wait, images, seconds):
    """Images per second: `step()` starts a batch, `wait()` returns when all batches are done."""
    for _ in range(2):  # compiles
        step()
    wait()
    start, count = time.perf_counter(), 0
    while not count or time.perf_counter() - start < seconds:
        step()
        step()
        wait()
        count += 2
    return count * images / (time.perf_counter() - start)


def jax_inference(options, spec, half):
    """Images per second."""
    import jax
    import keras

    from hrnet_tf.networks.pose import pose

    keras.config.set_dtype_policy("bfloat16" if half else "float32")
    model = pose(spec, (*options.size, 3), 17)
    images = jax.numpy.ones((options.infer, *options.size, 3), model.compute_dtype)
    weights = [
        [variable.value for variable in kind]
        for kind in (model.trainable_variables, model.non_trainable_variables)
    ]
    predict = jax.jit(lambda first, rest, x: model.stateless_call(first, rest, x)[0])
    last = []

    def step():
        last[:] = [predict(*weights, images)]

    return rate(step, lambda: last[0].block_until_ready(), options.infer, options.time)


def jax_training(options, spec, half):
    """Images per second."""
    import jax
    import keras

    from hrnet_tf.networks.pose import pose

    keras.config.set_dtype_policy("mixed_bfloat16" if half else "float32")
    model, optimizer = pose(spec, (*options.size, 3), 17), keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)
    images = jax.random.normal(jax.random.key(0), (options.train, *options.size, 3))

    def loss(first, rest):
        maps, rest = model.stateless_call(first, rest, images, training=True)
        return keras.ops.mean(keras.ops.square(maps)), rest

    @partial(jax.jit, donate_argnums=0)
    def update(state):
        first, rest, optimizing = state
        (value, rest), gradients = jax.value_and_grad(loss, has_aux=True)(first, rest)
        first, optimizing = optimizer.stateless_apply(optimizing, gradients, first)
        return (first, rest, optimizing), value

    kinds = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    last = [tuple([jax.numpy.copy(each.value) for each in kind] for kind in kinds), None]

    def step():
        last[:] = update(last[0])

    return rate(step, lambda: last[1].block_until_ready(), options.train, options.time)


def measure_jax(options, spec, half):
    os.environ |= {"KERAS_BACKEND": "jax", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    os.environ |= {"JAX_PLATFORMS": "cpu"} if options.device == "cpu" else {}
    import jax

    device = jax.devices()[0]
    if (device.platform == "cpu") != (options.device == "cpu"):
        raise RuntimeError(f"JAX sees {device.platform}, not {options.device}.")
    found = {"name": device.device_kind}
    # JAX keeps one peak for the process; training, the higher one, comes last.
    for name, measure in {"infer": jax_inference, "train": jax_training}.items():
        found[name] = measure(options, spec, half)
        found[f"{name}_peak"] = (device.memory_stats() or {}).get("peak_bytes_in_use")
    return found


def torch_inference(options, model, images, half):
    """Images per second."""
    import torch

    if half:
        model, images = model.to(torch.bfloat16), images.to(torch.bfloat16)
    compiled = torch.compile(model.eval(), disable=options.small)

    @torch.inference_mode()
    def step():
        compiled(images)

    return rate(step, partial(wait, options), options.infer, options.time)


def torch_training(options, model, images, half):
    """Images per second."""
    import torch

    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=options.device == "cuda")
    compiled = torch.compile(model, disable=options.small)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(options.device, torch.bfloat16, enabled=half):
            maps = compiled(images)
        maps.float().square().mean().backward()
        optimizer.step()

    return rate(step, partial(wait, options), options.train, options.time)


def measure_torch(options, spec, half):
    from torch_network import torch_pose

    make = partial(torch_pose, spec)
    make()  # finds PyTorch
    import torch

    on_gpu, layout = options.device == "cuda", {"memory_format": torch.channels_last}
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    found = {"name": torch.cuda.get_device_name() if on_gpu else "cpu"}
    for name, measure in {"infer": torch_inference, "train": torch_training}.items():
        images = torch.randn(getattr(options, name), 3, *options.size, device=options.device)
        model = make().to(options.device, **layout)
        found[name] = measure(options, model, images.to(**layout), half)
        found[f"{name}_peak"] = torch.cuda.max_memory_allocated() if on_gpu else None
    return found


def wait(options):
    """Until the GPU is done."""
    import torch

    if options.device == "cuda":
        torch.cuda.synchronize()


def options_of(words):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--train", type=int, default=32)
    parser.add_argument("--infer", type=int, default=64)
    parser.add_argument("--libraries", nargs="+", default=[*LIBRARIES], choices=LIBRARIES)
    parser.add_argument("--row", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    options.size, options.time, options.archs = (256, 192), 5.0, ARCHS
    if options.small:
        options.size, options.time, options.archs = (64, 64), 0.1, TINY
        options.train = options.infer = 2
    return options


def main(words):
    options = options_of(words)
    if options.row:
        library, arch, precision = options.row
        measure = {"jax": measure_jax, "torch": measure_torch}[library]
        start = time.perf_counter()
        found = measure(options, options.archs[arch], precision == "bfloat16")
        ready = time.perf_counter() - start - 2 * options.time
        print(json.dumps(found | {"ready": ready}))
        return
    end, failed = time.monotonic() + 60 * options.minutes, False
    print(ROW.format(*HEAD))
    for arch, precision, library in product(options.archs, PRECISIONS, options.libraries):
        row = (library, arch, precision)
        try:
            found = measured(row, words, end - time.monotonic())
        except subprocess.TimeoutExpired:
            print(ROW.format(LIBRARIES[library], arch, precision, *5 * ("no time",)), flush=True)
        except subprocess.CalledProcessError as error:
            failed = True
            print(f"{' '.join(row)} failed: {error.stderr.strip()[-400:]}", flush=True)
        else:
            numbers = [_number(found[name]) for name in COLUMNS]
            line = ROW.format(
                LIBRARIES[library], arch, precision, *numbers, f"{found['ready']:.0f}"
            )
            print(f"{line}  {found['name']}", flush=True)
    sys.exit(failed)


def measured(row, words, left):
    """What the process of a row found; it is stopped when no seconds are left."""
    command = [sys.executable, __file__, *words, "--row", *row]
    settings = {"capture_output": True, "text": True, "check": True, "timeout": max(left, 0.001)}
    return json.loads(subprocess.run(command, **settings).stdout.splitlines()[-1])


def _number(value):
    """Images per second; bytes as GiB; a dash where a library does not tell."""
    if value is None:
        return "-"
    return f"{value / 2**30:.2f}" if isinstance(value, int) else f"{value:.1f}"


if __name__ == "__main__":
    main(sys.argv[1:])
