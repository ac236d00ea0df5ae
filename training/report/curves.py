"""Learning curves: draws `history.csv` of a run as an SVG picture."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from hrnet_tf.files import whole
from hrnet_tf.media.chart import COLOURS, INK, curve, dot, svg, text

History = Sequence[Mapping[str, str]]

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 190, 64, 110, 26, 22  # pixels, of each panel
FEW = 40  # up to so many epochs, each has a dot
LOSSES = {"loss": "training", "val_loss": "held out"}


def read_history(path: str | Path) -> list[dict[str, str]]:
    """The rows of `history.csv`, one for each epoch; numbers that were not measured are empty."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_curves(workdir: str | Path) -> Path:
    """Draws `history.csv` of a run's folder as `curves.svg` beside it; returns its path.

    Raises:
        OSError: `history.csv` cannot be read, or `curves.svg` cannot be written.
    """
    path = Path(workdir) / "curves.svg"
    picture = curves(read_history(path.with_name("history.csv")))
    with whole(path) as part:
        part.write_text(picture, encoding="utf-8")
    return path


def curves(history: History) -> str:
    """An SVG with panels for losses, evaluation and learning rate; panels without data are omitted.

    Columns of the history are `epoch`, `loss`, `val_loss` and `learning_rate`; all others are
    metrics of the evaluation. Metrics that are shares are drawn, lengths in pixels are not.
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
    return svg(WIDTH, max(len(panels), 1) * (HEIGHT + 8), body)


def _points(history: History, name: str) -> list[tuple[int, float]]:
    """(epoch, value) for each epoch in which the column has a value."""
    values = [float(row.get(name) or "nan") for row in history]
    return [(epoch, y) for epoch, y in enumerate(values, 1) if math.isfinite(y)]


def _panel(title: str, lines: Mapping[str, list], log: bool, last: int) -> str:
    """Draws lines over the epochs 1 to `last`, with their names and the limits of both axes."""
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

    parts = [text(LEFT, 15, title, INK)]
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = [place(x, y) for x, y in line]
        parts.append(curve(points, colour))
        parts.append(text(WIDTH - RIGHT + 12, TOP + 10 + 15 * number, name, colour))
        if len(points) <= FEW:
            parts += [dot(x, y, colour) for x, y in points]
    for value in {low, high}:
        shown = f"{10**value:.2g}" if log else f"{value:.3f}"
        parts.append(text(LEFT - 8, place(1, value)[1], shown, end="end", drop=4))
    for epoch in (1, last):
        parts.append(text(place(epoch, low)[0], HEIGHT - 4, f"epoch {epoch}", end="middle"))
    return "".join(parts)
