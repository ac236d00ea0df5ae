"""Who may import whom, who may name a task, and what an import costs."""

import ast
import re
import subprocess
import sys

import pytest

from hrnet_tf.tasks import NAMES

from places import ROOT

# Room -> (the modules in it, the rooms whose modules they may import besides their own). The rooms
# stand in the order of the building: none imports a room below its own row. A module belongs to the
# first row that matches it.
TASK = rf"({'|'.join(NAMES)}|detection)"
LOW = ("low", "patches")
BASE = (*LOW, "networks", "weights", "runtime", "media", "tasks")
FILES = (*BASE, "presets", "opening", "recipes", "data")
TRAINING = (*FILES, "training")
ROOMS = {
    "low": (r"hrnet_tf(\.(labels|files|names|quiet|fields)\b.*)?", ()),
    "patches": (r"hrnet_tf\.patches\b.*", ()),
    "networks": (r"hrnet_tf\.networks\b.*", LOW),
    "weights": (r"hrnet_tf\.weights\b.*", LOW),
    "runtime": (r"hrnet_tf\.runtime\b.*", LOW),
    "media": (r"hrnet_tf\.media\b.*", LOW),
    "tasks": (r"hrnet_tf\.tasks(\.(task|card|card_files|drawing|streaming))?", (*LOW, "runtime")),
    "cards": (rf"hrnet_tf\.tasks\.{TASK}\.(card|options|codecs)\b.*", (*LOW, "tasks")),
    "presets": (r"hrnet_tf\.presets\b.*", (*LOW, "networks", "weights", "tasks", "cards")),
    "opening": (r"hrnet_tf\.opening", (*LOW, "runtime", "tasks", "presets")),
    "detection": (r"hrnet_tf\.tasks\.detection\b.*", (*BASE, "cards")),
    "task": (rf"hrnet_tf\.tasks\.{TASK}\b.*", (*BASE, "cards", "opening", "detection")),
    "prediction": (r"hrnet_tf\.prediction\b.*", (*LOW, "media", "tasks")),
    "recipes": (r"hrnet_tf\.training(\.recipes|\.values|\.recipe)?", (*LOW, "networks", "tasks")),
    "data": (r"hrnet_tf\.training\.data\b(?!.*__main__).*", (*LOW, "media")),
    "training": (r"hrnet_tf\.training\.(task|start|evaluate|overrides)", FILES),
    "loop": (r"hrnet_tf\.training\.loop\b.*", TRAINING),
    "report": (r"hrnet_tf\.training\.report\b.*", (*TRAINING, "loop")),
    "train": (r"hrnet_tf\.training\.train", (*TRAINING, "loop", "report")),
    "training task": (
        rf"hrnet_tf\.training\.{TASK}\b.*",
        (*TRAINING, "cards", "detection", "task", "loop", "report", "train"),
    ),
    "pages": (
        r"hrnet_tf\.training\.recipes\..*",
        (*LOW, "networks", "cards", "recipes", "training task"),
    ),
    "commands": (
        r"hrnet_tf\.training\.(command|data\..*__main__)",
        (*TRAINING, "loop", "report", "train"),
    ),
    "convert": (r"hrnet_tf\.convert\b.*", (*TRAINING, "detection", "loop", "train")),
    "cli": (
        r"hrnet_tf\.cli\b.*",
        (*TRAINING, "cards", "detection", "prediction", "report", "commands", "convert"),
    ),
}
FOLDERS = {"hrnet_tf": "hrnet_tf", "training": "hrnet_tf.training", "convert": "hrnet_tf.convert"}
# Where a task may be named: its rooms, the tables of names and the public names.
MAY_NAME = ("labels", "networks", "weights", "patches", "cards", "presets", "detection", "task")
MAY_NAME += ("training task", "pages")


def _modules():
    """Name -> file of every module of the package."""
    found = {}
    for folder, package in FOLDERS.items():
        for path in (ROOT / folder).rglob("*.py"):
            inner = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join((package, *inner)).removesuffix(".__init__")] = path
    return found


MODULES = _modules()


def room_of(module):
    return next((room for room, (form, _) in ROOMS.items() if re.fullmatch(form, module)), None)


def imports(path):
    """Names of the modules that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in inner)


def test_no_arrow_runs_back_up():
    """The rows themselves: a room may import only rooms above it, so there is no cycle."""
    above = set()
    for room, (_, may) in ROOMS.items():
        assert set(may) <= above, room
        above.add(room)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_what_its_room_may_import(module):
    room = room_of(module)
    assert room, f"give {module} a room in this test"
    for imported in imports(MODULES[module]):
        if imported.split(".")[0] == "hrnet_tf":
            theirs = room_of(imported)
            assert theirs in (room, *ROOMS[room][1]), f"{room} imports {imported} of {theirs}"


@pytest.mark.parametrize("task", NAMES)
def test_tasks_do_not_know_each_other(task):
    others = [name for name in NAMES if name != task]
    for room in ("tasks", "training"):
        own = f"hrnet_tf.{room}.{task}."
        for module in (name for name in MODULES if name.startswith(own)):
            for imported in imports(MODULES[module]):
                assert imported.split(".")[1:3] not in [
                    [r, o] for r in ("tasks", "training") for o in others
                ]


def test_nothing_outside_its_rooms_names_a_task():
    """By import, by a string, or by the name of a card, predictor or recipe of it."""
    named = re.compile(r"\b(Pose|Segmentation|Classification)(Card|Predictor|Recipe|Options)\b")
    for module, path in MODULES.items():
        if room_of(module) in MAY_NAME or module in ("hrnet_tf", "hrnet_tf.tasks"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = node.value if isinstance(node, ast.Constant) else None
            assert text not in NAMES, f"{module} names {text}"
            assert not (isinstance(node, ast.Name) and named.match(node.id)), f"{module}: {node.id}"


def test_networks_need_keras_and_numpy_alone():
    allowed = set(sys.stdlib_module_names) | {"keras", "numpy", "hrnet_tf"}
    for module, path in MODULES.items():
        if room_of(module) == "networks":
            assert {name.split(".")[0] for name in imports(path)} <= allowed, path


def test_frameworks_stay_where_they_belong():
    for module, path in MODULES.items():
        roots = {name.split(".")[0] for name in imports(path)}
        assert "torch" not in roots, path
        if room_of(module) != "convert":
            assert not roots & {"tf_keras", "tensorflow_model_optimization"}, path


def test_importing_the_package_brings_no_tensorflow():
    """With Keras on another backend, nothing of ours asks for TensorFlow."""
    code = "import sys, hrnet_tf; assert 'tensorflow' not in sys.modules"
    environment = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PATH": ""}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_help_brings_no_keras():
    """`hrnet-tf predict --help` answers at once; so does every other command without a recipe."""
    code = (
        "import sys; from hrnet_tf import cli\n"
        "for name in ('predict', 'evaluate', 'convert', 'compare', 'models'):\n"
        "    cli.main([name, '--help'])\n"
        "assert not {'keras', 'tensorflow', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
