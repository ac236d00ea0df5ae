"""A picture of which class was taken for which, as SVG."""

from collections.abc import Mapping, Sequence

from hrnet_tf.media.chart import svg, text

CELL, MARGIN = 44, 120  # units
NUMBERS = 16  # up to so many classes, cells have numbers
SHADE = (46, 139, 115)  # of a share of 1


def confusion_picture(table: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> str:
    """An SVG with a row for each true class and a column for each predicted one.

    Args:
        table: true class -> predicted class -> its share of the true one's items.
        names: all classes, in order.
    """
    size = CELL if len(names) <= NUMBERS else max(CELL * NUMBERS // len(names), 4)
    parts = [text(MARGIN, 14, "predicted →  (rows: true class; shares of the row)")]
    for i, name in enumerate(names):
        y = 60 + i * size
        if size >= 11:
            parts.append(text(MARGIN - 6, y + size / 2, name, end="end", drop=4))
            parts.append(text(MARGIN + (i + 0.5) * size, 52, name[: size // 6], end="middle"))
        for j, other in enumerate(names):
            share = table.get(name, {}).get(other, 0.0)
            color = "rgb({},{},{})".format(*(round(255 + (c - 255) * share) for c in SHADE))
            x = MARGIN + j * size
            parts.append(
                f'<rect x="{x}" y="{y}" width="{size}" height="{size}" fill="{color}" '
                'stroke="#e8e4da"/>'
            )
            if len(names) <= NUMBERS and share >= 0.005:
                middle = f"{100 * share:.0f}"
                parts.append(text(x + size / 2, y + size / 2, middle, end="middle", drop=4))
    side = len(names) * size
    return svg(MARGIN + side + 20, 60 + side + 20, "".join(parts))
