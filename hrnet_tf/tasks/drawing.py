"""Lines, discs and legends for every task, legible on any background and at any size."""

import colorsys

import numpy as np
from PIL import Image, ImageDraw, ImageFont

OUTLINE = (24, 24, 28, 230)  # bright lines need a dark edge to show on snow and sky

PAPER, INK = (250, 250, 248), (32, 32, 36)  # colours of the legend's background and text


def tint(number: int, lightness: float = 0.7) -> tuple[int, int, int]:
    """A colour for an id or a class: hues in steps of the golden section, so that consecutive
    numbers get clearly different ones.
    """
    levels = colorsys.hls_to_rgb(0.618034 * number % 1, lightness, 0.85)
    return tuple(round(255 * level) for level in levels)


def legend(entries, width, longest):
    """Draws (name, colour) entries in rows that fit the width; of height 0 without entries."""
    size = int(np.clip(0.016 * longest, 11, 64))
    font, gap = ImageFont.load_default(size), round(0.5 * size)
    rows, x = [], width
    for name, color in entries:
        wide = size + gap + round(font.getlength(name))
        if x + wide > width - 2 * gap:
            rows.append([])
            x = 2 * gap
        rows[-1].append((x, name, color))
        x += wide + 3 * gap
    pitch = round(1.7 * size)
    picture = Image.new("RGB", (width, len(rows) * pitch + 2 * gap if rows else 0), PAPER)
    canvas = ImageDraw.Draw(picture)
    for number, row in enumerate(rows):
        middle = gap + number * pitch + pitch / 2
        for x, name, color in row:
            corners = [x, middle - size / 2, x + size, middle + size / 2]
            canvas.rounded_rectangle(corners, size / 5, color, INK, max(1, size // 16))
            canvas.text((x + size + gap, middle), name, INK, font, "lm")
    return np.asarray(picture).reshape(-1, width, 3)


def line(canvas, start, end, width, color):
    canvas.line([*start, *end], color, round(width))
    disc(canvas, start, width / 2, color)
    disc(canvas, end, width / 2, color)


def disc(canvas, center, radius, color):
    canvas.ellipse([*(center - radius), *(center + radius)], color)
