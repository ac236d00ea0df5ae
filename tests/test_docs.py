"""README and docs name only what is there: links, scripts, tests, modules and flags."""

import importlib.util
import re

import pytest

from places import ROOT

DOCS = sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != "models.md")
DEMOS = [ROOT / name / "README.md" for name in ("android_demo", "web_demo")]
PAGES = [ROOT / "README.md", *DOCS, *DEMOS]
# Flags of benchmarks and other programs.
OTHERS = {"data", "logdir", "nodes", "ntasks-per-node", "port", "prefix"}


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


def test_flags_exist(page):
    known = set(OTHERS)
    for path in (ROOT / "tests" / "public").glob("*.txt"):
        for optional, name in re.findall(r"--(\[no\])?([\w-]+)", path.read_text(encoding="utf-8")):
            known |= {name, f"no{name}"} if optional else {name}
    used = re.findall(r"(?<![\w|-])--([a-zA-Z][\w-]*)", page.read_text(encoding="utf-8"))
    assert set(used) <= known
