"""Who may import whom, who may name a task, and what an import costs."""

import ast
import re
import subprocess
import sys

import pytest

from hrnet_tf.cards import NAMES

from places import ROOT

# Room -> the rooms whose modules it may import besides its own. The rooms stand in the order of the
# building: none imports a room below its own row, so there is no cycle.
LOW = ("", "labels", "patches")
MIDDLE = (*LOW, "networks", "weights", "runtime", "media", "cards", "presets", "opening")
BASE = (*MIDDLE, "detection", "tasks", "recipe", "data", "training")
ROOMS = {
    "": (),  # collection.py, files.py, names.py, fields.py, quiet.py
    "labels": ("",),
    "patches": ("",),
    "networks": LOW,
    "weights": LOW,
    "runtime": LOW,
    "media": LOW,
    "cards": (*LOW, "networks", "runtime"),
    "presets": (*LOW, "networks", "weights", "cards"),
    "opening": (*LOW, "runtime", "cards", "presets"),
    # task.py, opened.py, drawing.py, streaming.py, videos.py
    "tasks": (*LOW, "runtime", "media", "cards", "opening"),
    "detection": (*MIDDLE, "tasks"),
    "a task": (*MIDDLE, "tasks", "detection"),
    "prediction": (*LOW, "media", "cards", "tasks"),
    "recipe": (*LOW, "networks", "cards"),  # training/recipe.py, values.py, recipes/__init__.py
    "data": (*LOW, "media"),
    "training": (
        *MIDDLE,
        "tasks",
        "recipe",
        "data",
    ),  # task.py, evaluate.py, start.py, overrides.py
    "loop": BASE,
    "report": (*BASE, "loop"),
    "train": (*BASE, "loop", "report"),  # also demo.py
    "a task's training": (*BASE, "a task", "loop", "report", "train"),
    "recipes": (*LOW, "networks", "cards", "recipe", "a task's training"),  # a page each
    "commands": (*BASE, "loop", "report", "train"),  # training/command.py, data/…/__main__.py
    "convert": (*BASE, "loop", "train"),
    "cli": (*BASE, "prediction", "report", "commands", "convert"),
}
FOLDERS = {"hrnet_tf": "hrnet_tf", "training": "hrnet_tf.training", "convert": "hrnet_tf.convert"}
# Where a task may be named: its rooms, and what has a module or a row for each task.
MAY_NAME = ("labels", "patches", "networks", "cards", "presets", "detection", "a task")
MAY_NAME += ("a task's training", "recipes")


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
    """The room of a module: its folder, and for a few files in training/ a room of their own."""
    top, *inner = [*module.split(".")[1:], ""]
    if top == "tasks":
        return "detection" if inner[0] == "detection" else "a task" if inner[0] in NAMES else top
    if top != "training":
        return "" if top in ("collection", "files", "names", "fields", "quiet") else top
    if module.endswith("__main__") or inner[0] == "command":
        return "commands"
    if inner[0] in NAMES:
        return "a task's training"
    if inner[0] in ("data", "loop", "report", "train"):
        return inner[0]
    if inner[0] == "demo":
        return "train"
    if inner[0] == "recipes":
        return "recipes" if inner[1:] != [""] else "recipe"
    return "recipe" if inner[0] in ("", "recipe", "values") else top


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
    for room, may in ROOMS.items():
        assert set(may) <= above, room
        above.add(room)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_what_its_room_may_import(module):
    room = room_of(module)
    assert room in ROOMS, f"give {module} a room in this test"
    for imported in imports(MODULES[module]):
        if imported.split(".")[0] == "hrnet_tf":
            theirs = room_of(imported)
            assert theirs in (room, *ROOMS[room]), f"{room} imports {imported} of {theirs}"


@pytest.mark.parametrize("task", NAMES)
def test_tasks_do_not_know_each_other(task):
    """But pose may know detection, for people must be found before their joints."""
    others = {name for name in NAMES if name != task}
    others -= {"detection"} if task == "pose" else set()
    for room in ("tasks", "training"):
        own = f"hrnet_tf.{room}.{task}."
        for module in (name for name in MODULES if name.startswith(own)):
            for imported in imports(MODULES[module]):
                assert imported.split(".")[1:3] not in [
                    [r, o] for r in ("tasks", "training") for o in others
                ]


def test_nothing_outside_its_rooms_names_a_task():
    """By import, by a string, or by the name of a card, predictor or recipe of it."""
    named = re.compile(
        r"\b(Pose|Segmentation|Classification|Detection)(Card|Predictor|Recipe|Options)\b"
    )
    for module, path in MODULES.items():
        if room_of(module) in MAY_NAME or module == "hrnet_tf":
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
