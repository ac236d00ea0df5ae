"""Learning curves: what `history.csv` of a run says, as one SVG picture."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from hrnet_tf.files import whole

History = Sequence[Mapping[str, str]]

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 190, 64, 110, 26, 22  # of one panel
COLOURS = ("#e4572e", "#2e8b73", "#3b6fb6", "#b8860b", "#7d4ea8", "#8c564b", "#5f6b7a", "#c2407e")
FEW = 40  # epochs: so many get a dot each
STYLE = "text { font: 12px system-ui, sans-serif; fill: #5b606b; }"
LOSSES = {"loss": "training", "val_loss": "held out"}


def read_history(path: str | Path) -> list[dict[str, str]]:
    """The rows of `history.csv`, one for each epoch; what was not measured is empty."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_curves(workdir: str | Path) -> Path:
    """Draws `history.csv` in a folder of training as `curves.svg` beside it; returns its path.

    Raises:
        OSError: one cannot be read or the other not be written.
    """
    path = Path(workdir) / "curves.svg"
    picture = curves(read_history(path.with_name("history.csv")))
    with whole(path) as part:
        part.write_text(picture, encoding="utf-8")
    return path


def curves(history: History) -> str:
    """An SVG with a panel each for losses, evaluation and learning rate, as far as there are any.

    Columns are those of `history.csv`: `epoch`, `loss`, `val_loss`, `learning_rate`; all others are
    numbers of the evaluation, of which shares are drawn and lengths in pixels are not.
    """
    columns = {name: _points(history, name) for name in history[0]} if history else {}
    rate = columns.pop("learning_rate", [])
    losses = {label: columns.pop(name, []) for name, label in LOSSES.items()}
    columns.pop("epoch", None)
    shares = {name: line for name, line in columns.items() if all(0 <= y <= 1 for _, y in line)}
    panels = [("loss (logarithmic)", losses, True)]
    panels += [("evaluation", shares, False), ("learning rate (logarithmic)", {"": rate}, True)]
    panels = [(title, lines, log) for title, lines, log in panels if any(lines.values())]
    last = max(len(history), 2)
    body = "".join(
        f'<g transform="translate(0 {number * (HEIGHT + 8)})">{_panel(*panel, last)}</g>'
        for number, panel in enumerate(panels)
    )
    size = f"0 0 {WIDTH} {max(len(panels), 1) * (HEIGHT + 8)}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" role="img">'
        f'<style>{STYLE}</style><rect width="100%" height="100%" fill="#ffffff"/>{body}</svg>\n'
    )


def _points(history: History, name: str) -> list[tuple[int, float]]:
    """(epoch, value) where a column has one."""
    values = [float(row.get(name) or "nan") for row in history]
    return [(epoch, y) for epoch, y in enumerate(values, 1) if math.isfinite(y)]


def _panel(title: str, lines: Mapping[str, list], log: bool, last: int) -> str:
    """Lines of points over the epochs 1 to `last`, with their names and the ends of both axes."""
    if log:
        lines = {
            name: [(x, math.log10(y)) for x, y in line if y > 0] for name, line in lines.items()
        }
    lines = {name: line for name, line in lines.items() if line}
    values = [y for line in lines.values() for _, y in line] or [0.0]
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 0.1
    per_epoch = (WIDTH - LEFT - RIGHT) / (last - 1)
    per_value = (HEIGHT - TOP - BOTTOM) / (high - low + 2 * margin)

    def place(x: float, y: float) -> tuple[str, str]:
        return f"{LEFT + (x - 1) * per_epoch:.1f}", f"{TOP + (high + margin - y) * per_value:.1f}"

    parts = [f'<text x="{LEFT}" y="15" style="fill:#23262d">{title}</text>']
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = [place(x, y) for x, y in line]
        path = " ".join(",".join(point) for point in points)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<text x="{WIDTH - RIGHT + 12}" y="{TOP + 10 + 15 * number}" style="fill:{colour}">'
            f"{name}</text>"
        )
        if len(points) <= FEW:
            parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in points]
    for value in {low, high}:
        shown = f"{10**value:.2g}" if log else f"{value:.3f}"
        y = place(1, value)[1]
        parts.append(f'<text x="{LEFT - 8}" y="{y}" dy="4" text-anchor="end">{shown}</text>')
    for epoch in (1, last):
        x = place(epoch, low)[0]
        parts.append(f'<text x="{x}" y="{HEIGHT - 4}" text-anchor="middle">epoch {epoch}</text>')
    return "".join(parts)
