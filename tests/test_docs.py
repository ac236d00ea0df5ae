"""README and docs name only what is there: links, scripts, tests, modules and flags."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from xml.etree import ElementTree

import pytest

import hrnet_tf

from places import ROOT

DOCS = sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != "models.md")
FOLDERS = [ROOT / "android_demo", ROOT / "web_demo", ROOT / "docs" / "notebooks"]
PAGES = [ROOT / "README.md", *DOCS, *(folder / "README.md" for folder in FOLDERS)]
CONFIG = ROOT / "docs" / "mkdocs.yml"
API = ROOT / "docs" / "site" / "api.md"
# Flags of benchmarks and other programs.
OTHERS = {"data", "logdir", "nodes", "ntasks-per-node", "peers", "port", "prefix"}


@pytest.fixture(params=PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def page(request):
    return request.param


def anchors(path):
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in headings}


def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        file, _, anchor = target.partition("#")
        if not target.startswith("http"):
            there = (page.parent / file).resolve() if file else page
            assert there.exists(), target
            assert not anchor or anchor in anchors(there), target


def test_every_page_is_found_from_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in PAGES[1:]:
        assert f"]({path.relative_to(ROOT)})" in text


def test_named_files_exist(page):
    named = r"\b(?:python|pytest) ((?:[\w/]+\.py ?(?:\\\n *)?)+)"
    for files in re.findall(named, page.read_text(encoding="utf-8")):
        for file in files.replace("\\", " ").split():
            assert (ROOT / file).is_file(), file


def test_named_modules_exist(page):
    for line in re.findall(r"from hrnet_tf[.\w]* import [\w, ]+", page.read_text(encoding="utf-8")):
        exec(line, {})
    for module in re.findall(r"python -m (hrnet_tf[.\w]*)", page.read_text(encoding="utf-8")):
        assert importlib.util.find_spec(module), module


def flags_in(path):
    """The flags that a file of help names, also those that `--no` turns off."""
    found = set()
    for optional, name in re.findall(r"--(\[no\])?([\w-]+)", path.read_text(encoding="utf-8")):
        found |= {name, f"no{name}"} if optional else {name}
    return found


def test_flags_exist(page):
    known = OTHERS.union(*map(flags_in, (ROOT / "tests" / "public").glob("*.txt")))
    text = page.read_text(encoding="utf-8")
    if page.name == "coming_from.md":  # the first column of its tables is about other programs
        text = re.sub(r"^\|[^|]*\|", "|", text, flags=re.MULTILINE)
    used = re.findall(r"(?<![\w|-])--([a-zA-Z][\w-]*)", text)
    assert set(used) <= known


def commands(text):
    """The command lines of a page that begin with `hrnet-tf COMMAND`, as words."""
    joined = re.sub(r" *\\\n\s*", " ", text)
    found = re.findall(r"^ {4,}(hrnet-tf [^\n#]+)", joined, re.MULTILINE)
    found += re.findall(r"`(hrnet-tf [^`]+)`", joined)
    for line in found:
        yield shlex.split(line.replace("[", " ").replace("]", " "))


def test_flags_belong_to_their_command(page):
    for _, command, *words in commands(page.read_text(encoding="utf-8")):
        if command.startswith("-") or not command.islower():  # `hrnet-tf COMMAND --help`
            continue
        known = {"help"}
        helps = ["convert_to_tflite", "hrnet-tf_convert"]
        for name in helps if command == "convert" else [f"hrnet-tf_{command}"]:
            known |= flags_in(ROOT / "tests" / "public" / f"{name}.txt")
        used = {word[2:].partition("=")[0] for word in words if word.startswith("--")}
        assert used - {"FIELD"} <= known, (command, words)


def test_presets_that_are_named_exist(page):
    """After `--model=`, and wherever a word has the form of a preset with a size."""
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"--model=([a-z]\w+)(?![\w./…])", text))
    named |= set(
        re.findall(r"(?<![\w-])((?:[a-z]\w*hrnet|hrnet|tinypose)_\w*\d+x\d+)(?![\w.-])", text)
    )
    assert named <= set(hrnet_tf.PRESETS)


# --- The site -----------------------------------------------------------------------------------


def test_every_page_is_in_the_navigation():
    listed = re.findall(r"(?:-|:) ([\w/]+\.md)$", CONFIG.read_text(encoding="utf-8"), re.MULTILINE)
    notebooks = [path.with_suffix(".md") for path in (ROOT / "docs" / "notebooks").glob("*.ipynb")]
    wanted = [*PAGES, *notebooks, ROOT / "docs" / "models.md"]
    wanted = {str(path.relative_to(ROOT)) for path in wanted}
    assert set(listed) == wanted | {"CONTRIBUTING.md", "api.md", "commands.md"}
    assert len(listed) == len(set(listed))


def test_every_public_name_is_in_the_reference():
    """As it is imported, and at the place where the docstring is."""
    text = API.read_text(encoding="utf-8")
    named = dict(re.findall(r"::: (\S+)\n    options: {heading: (\S+),", text))
    public = {
        f"hrnet_tf.{home}.{name}": f"hrnet_tf.{name}" for name, home in hrnet_tf._HOMES.items()
    }
    assert public.items() <= named.items()
    for home in named:
        module, _, name = home.rpartition(".")
        module = module if module.startswith("hrnet_tf") else f"hrnet_tf.{module}"
        assert hasattr(importlib.import_module(module), name), home


@pytest.mark.parametrize(("arch", "blocks"), [("w32", 4), ("w18_small_v1", 2), ("lite30", 2)])
def test_drawings_have_a_box_for_each_module_of_each_stream(arch, blocks):
    """As many as the spec, which the networks are built from, says; and the SVG is well formed."""
    spec = importlib.util.spec_from_file_location("architecture", ROOT / "docs" / "architecture.py")
    architecture = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(architecture)
    drawing = architecture.draw(hrnet_tf.SPECS[arch], "heat maps")
    ElementTree.fromstring(drawing)
    modules = hrnet_tf.SPECS[arch].modules
    wanted = sum(streams * count for streams, count in zip((2, 3, 4), modules, strict=True))
    assert drawing.count(f">×{blocks}<") == wanted


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    """Links, anchors and docstrings, as `make docs` checks them; nothing is asked of a network."""
    for package in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(package)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", CONFIG, "-d", tmp_path]
    nowhere = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    subprocess.run(command, check=True, env={**os.environ, **nowhere, "NO_MKDOCS_2_WARNING": "1"})
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="https?://(?!github)[^"]+\.(?:js|css|woff2?)', text)
    assert "docs/predict.html" in text
