"""Who may import whom, and what an import costs."""

import ast
import subprocess
import sys

from places import ROOT

# From the ground up. A module may import those of lower floors, and its own floor's.
FLOORS = {
    **dict.fromkeys(("labels", "networks", "weights", "runtime", "media"), 0),
    **dict.fromkeys(("files", "names", "quiet"), 0),
    "presets": 2,
    "opening": 3,
    "tasks": 4,
    "prediction": 5,
    "training": 8,
    "convert": 9,
    "cli": 10,
}
MODEL_CODE = {"networks"}
SIDE_WING = {"labels", "weights", "runtime", "media", "files", "names", "quiet"}


def _modules():
    """(own name, file) of every module of the package."""
    for folder, prefix in (("hrnet_tf", None), ("training", "training"), ("convert", "convert")):
        for path in (ROOT / folder).rglob("*.py"):
            name = prefix or path.relative_to(ROOT / folder).parts[0].removesuffix(".py")
            if name != "__init__":
                yield name, path


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_nobody_imports_upwards():
    for name, path in _modules():
        assert name in FLOORS, f"{path}: give `{name}` a floor in this test"
        for imported in _imports(path):
            parts = imported.split(".")
            if parts[0] != "hrnet_tf" or len(parts) < 2 or parts[1] not in FLOORS:
                continue
            if parts[1] == "tasks" and name in ("presets", "opening"):
                continue  # cards
            assert FLOORS[parts[1]] <= FLOORS[name], f"{path} imports {imported}"
            if name in SIDE_WING:
                assert parts[1] not in MODEL_CODE, f"{path} imports {imported}"


def test_model_code_needs_keras_and_numpy_only():
    allowed = set(sys.stdlib_module_names) | {"keras", "numpy", "hrnet_tf"}
    for name, path in _modules():
        if name in MODEL_CODE:
            assert {i.split(".")[0] for i in _imports(path)} <= allowed, path


def test_frameworks_stay_where_they_belong():
    for name, path in _modules():
        roots = {i.split(".")[0] for i in _imports(path)}
        assert "torch" not in roots, path
        if name != "convert":
            assert not roots & {"tf_keras", "tensorflow_model_optimization"}, path


def test_importing_the_package_brings_no_tensorflow():
    """With Keras on another backend, nothing of ours asks for TensorFlow."""
    code = "import sys, hrnet_tf; assert 'tensorflow' not in sys.modules"
    environment = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PATH": ""}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
