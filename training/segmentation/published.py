"""Makes the table of segmentation recipes in the documentation, from their `expected`."""

from hrnet_tf.training.recipe import PAGES, load_recipe
from hrnet_tf.training.segmentation.recipe import SegmentationRecipe


def rows() -> list[str]:
    """The lines of a Markdown table: recipe, crop, published mean IoU in percent."""
    lines = ["| recipe | crops | mIoU | protocol |", "|---|---|---|---|"]
    for name, task in PAGES.items():
        recipe = load_recipe(name) if task == SegmentationRecipe.task else None
        if not recipe or not recipe.expected or name.startswith("synthetic"):
            continue
        number = f"{100 * recipe.expected.numbers['mIoU']:.2f}".rstrip("0")
        number += "0" if number.endswith(".") else ""
        crops = "x".join(map(str, recipe.input_size))
        lines.append(f"| `{name}` | {crops} | {number} | {_protocol(recipe)} |")
    return lines


def _protocol(recipe: SegmentationRecipe) -> str:
    scales = "one scale" if len(recipe.test_scales) == 1 else "several scales"
    return f"{scales}, flip test" if recipe.flip_test else scales
