"""Makes the table of ImageNet recipes in the documentation, from the `expected` of their pages."""

from hrnet_tf.training.recipe import PAGES, load_recipe


def table() -> str:
    """A table in Markdown: a row for each page with a top-5 accuracy."""
    lines = ["| ImageNet, validation | top-1 in % | top-5 in % |", "|---|---|---|"]
    for name in sorted(PAGES, key=lambda name: ("small" in name, name)):
        expected = load_recipe(name).expected if name.startswith("imagenet_") else None
        if expected:
            best, five = (100 * expected.numbers[each] for each in ("top1", "top5"))
            lines.append(f"| `{name}` | {best:.1f} | {five:.1f} |")
    return "\n".join(lines)
