"""Gives MkDocs the pages of the repository at their own paths, so links work in both places."""

import json
from pathlib import Path

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
COPIED = ("README.md", "CONTRIBUTING.md", "android_demo/README.md", "web_demo/README.md")
PATTERNS = ("docs/*.md", "docs/models/*.md", "docs/notebooks/*.md", "docs/images/**/*.*")
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
COMMANDS = """\
# Commands

What `--help` of each command says.
"""


@event_priority(100)  # before plugins look for pages
def on_files(files, config):
    """Adds the pages and pictures, a page for each notebook, and a page of all commands."""
    paths = [ROOT / name for name in COPIED]
    paths += [path for pattern in PATTERNS for path in sorted(ROOT.glob(pattern))]
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, name, abs_src_path=str(path)))
    for path in NOTEBOOKS:
        name = path.relative_to(ROOT).with_suffix(".md").as_posix()
        files.append(File.generated(config, name, content=notebook(path)))
    files.append(File.generated(config, "commands.md", content=commands()))
    return files


def on_page_markdown(markdown, page, config, files):
    """Leads links to notebooks to their pages; gives the widest table the whole width."""
    if page.file.src_uri == "docs/models.md":
        page.meta["hide"] = ["navigation", "toc"]
    return markdown.replace(".ipynb)", ".md)")


def notebook(path: Path) -> str:
    """A notebook as Markdown: its text, and its code in blocks."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    return "\n\n".join(parts) + "\n"


def commands() -> str:
    """The help of `hrnet-tf` and its commands, which tests compare with the programs."""
    helps = sorted((ROOT / "tests" / "public").glob("hrnet-tf*.txt"))
    parts = [COMMANDS]
    for path in helps:
        title = path.stem.replace("_", " ", 1)
        parts.append(f"\n## {title}\n\n```text\n{path.read_text(encoding='utf-8')}```\n")
    return "".join(parts)
