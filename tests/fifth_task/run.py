"""Predicts, trains, evaluates and converts depth by the commands; prints what came of it as JSON.

python tests/fifth_task/run.py FOLDER
"""

import contextlib
import io
import json
import sys
from pathlib import Path

import add  # before anything else asks for the tasks
import numpy as np
from PIL import Image

import hrnet_tf
from hrnet_tf import cli

folder = Path(sys.argv[1])


def command(*words):
    """Exit code and output of a command."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = cli.main([str(word) for word in words])
    return [code, output.getvalue()]


(folder / "images").mkdir(parents=True)
rng, truth = np.random.default_rng(0), {}
for number in range(8):
    far = number % 2
    grey = rng.integers(0, 60, (40, 48, 3)) + (20 if far else 180)
    Image.fromarray(grey.astype(np.uint8)).save(folder / "images" / f"{number}.png")
    truth[f"{number}.png"] = 8.0 if far else 2.0
(folder / "truth.json").write_text(json.dumps(truth))
data = [f"--annotations={folder / 'truth.json'}", f"--images={folder / 'images'}"]
train = [word.replace("--", f"--{use}_") for use in ("train", "val") for word in data]
output = folder / "o"
model, small = folder / "run" / "model.keras", folder / "run" / "model_int8.tflite"
found = {
    "help": command("predict", "--help")[1] + command("evaluate", "--help")[1],
    "train help": command("train", "--help")[1],
    "train": command("train", "depth_tiny", f"--workdir={folder / 'run'}", "--epochs=20", *train),
    "nan": command(
        "train", "depth_tiny", f"--workdir={folder / 'nan'}", "--learning_rate=1e38", *train
    ),
    "evaluate": command("evaluate", f"--model={model}", "--per_picture", *data),
    "predict": command(
        "predict", folder / "images", f"--model={model}", f"--output={folder / 'o'}"
    ),
    "wrong flag": command("predict", folder / "images", f"--model={model}", "--csv"),
    "convert": command(
        "convert", f"--model={model}", "--int8", f"--calibration={folder / 'images'}"
    ),
    "evaluate int8": command("evaluate", f"--model={small}", "--record", *data),
    "compare": command("compare", model, small, *data),
}
predictor = hrnet_tf.predictor(small, scale_depth=2.0)
image = hrnet_tf.read_image(folder / "images" / "1.png")
found["python"] = float(np.median(predictor(image)))
with np.load(folder / "nan" / "bad_batch.npz") as bad:
    found["bad batch"] = {name: bad[name].shape for name in bad.files}
found["written"] = sorted(path.name for path in output.iterdir())[-3:]
found["card"] = json.loads(small.with_suffix(".json").read_text())
assert add.depth().output.keys() == {"depth", "certainty"}
print("FOUND", json.dumps(found))
