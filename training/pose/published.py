"""Makes the tables of pose recipes in the documentation, from the `expected` of their pages."""

from collections.abc import Mapping
from itertools import zip_longest

from hrnet_tf.training.recipe import PAGES, Expected, load_recipe

SIZES = ("128x96", "256x192", "384x288")
CODECS = ("", "_dark", "_udp")


def tables() -> tuple[str, str]:
    """Two tables in Markdown: COCO, and MPII with face landmarks.

    COCO's table has a row for each family of pages, and a column for each input size.
    """
    recipes = {name: load_recipe(name) for name, task in PAGES.items() if task == "pose"}
    expected = {name: recipe.expected for name, recipe in recipes.items() if recipe.expected}
    bodies = {name: each for name, each in expected.items() if name.startswith("mpii_")}
    faces = {name: each for name, each in expected.items() if "NME" in each.numbers}
    return _coco_table(expected), _side_by_side(bodies, faces)


def _coco_table(expected: Mapping[str, Expected]) -> str:
    families = {}
    for name, each in expected.items():
        for size in SIZES:
            if name.startswith("coco_") and f"_{size}" in name:
                families.setdefault(name.replace(size, "…"), {})[size] = each
    lines, last = [_row("AP on COCO val2017", *SIZES), "|---|---|---|---|"], ""
    for family in sorted(families, key=_order):
        row = families[family]
        (note,) = {each.note for each in row.values()}
        shown = f" ({'the same' if note == last else note})" if note else ""
        cells = (_share(row[size].numbers["AP"]) if size in row else "" for size in SIZES)
        lines.append(_row(f"`{family}`{shown}", *cells))
        last = note
    return "\n".join(lines)


def _side_by_side(bodies: Mapping[str, Expected], faces: Mapping[str, Expected]) -> str:
    left = [
        (f"`{name}`", f"{100 * bodies[name].numbers['Mean']:.1f}")
        for name in sorted(bodies, key=_order)
    ]
    hardest_first = sorted(faces, key=lambda name: -faces[name].numbers["NME"])
    right = [(f"`{name}`", f"{100 * faces[name].numbers['NME']:.2f}") for name in hardest_first]
    rows = zip_longest(left, right, fillvalue=("", ""))
    head = [_row("PCKh@0.5 on MPII val", "", "NME in %", ""), "|---|---|---|---|"]
    return "\n".join([*head, *(_row(*one, *other) for one, other in rows)])


def _order(name: str) -> tuple:
    """Sort key of pages: HRNets before Lite-HRNets, and each in the order of the codecs."""
    codec = max((i for i, suffix in enumerate(CODECS) if name.endswith(suffix)), default=0)
    return "lite" in name, codec, name


def _share(number: float) -> str:
    return f"{number:.3f}".lstrip("0")


def _row(*cells: str) -> str:
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"
