"""Draws a network as SVG: streams as rows, stages as columns, exchange units as lines."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from hrnet_tf.networks.detection import HEADS
from hrnet_tf.networks.specs import STRIDES, HRNetSpec, LiteHRNetSpec

Spec = HRNetSpec | LiteHRNetSpec

TOP, ROW, HEIGHT = 64, 52, 30  # of the first row, between rows, of a box; pixels
BOX, GAP = 30, 34  # width of a module, and of the exchange unit behind it
COLOURS = ("#1565c0", "#2e7d32", "#ef6c00", "#ad1457")  # of the streams
GREY = "#455a64"  # of heads
TEXT = 'font-family="sans-serif" font-size="12"'


class Canvas:
    """Shapes from left to right; lines lie under boxes."""

    def __init__(self):
        self.lines, self.boxes, self.x = [], [], 0

    def line(self, start, end, colour):
        """A line between two points."""
        (x1, y1), (x2, y2) = start, end
        self.lines.append(f'<path d="M{x1} {y1}L{x2} {y2}" stroke="{colour}"/>')

    def box(self, y, width, text, colour, height=HEIGHT):
        """A box at the current place; `y` is its middle."""
        top, middle = y - height // 2, self.x + width // 2
        self.boxes.append(
            f'<rect x="{self.x}" y="{top}" width="{width}" height="{height}" rx="5" '
            f'fill="{colour}"/>'
        )
        words = text.split("\n")
        for n, word in enumerate(words):
            self.text(middle, y + 4 + 15 * n - 15 * (len(words) - 1) // 2, word, "#fff")

    def text(self, x, y, text, colour="#263238", anchor="middle"):
        """A line of text; `y` is its base."""
        self.boxes.append(
            f'<text x="{x}" y="{y}" fill="{colour}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def svg(self, title: str) -> str:
        """The whole drawing on white."""
        width, height = self.x + 16, TOP + 4 * ROW
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#fff"/>',
            f'<g fill="none" stroke-width="1.6">{"".join(self.lines)}</g>',
            f"<g {TEXT}>{''.join(self.boxes)}</g>",
            "</svg>",
        ]
        return "\n".join(parts) + "\n"


def row(stream: int) -> int:
    """The middle of a stream's row."""
    return TOP + ROW * stream + HEIGHT // 2


def draw(spec: Spec, head: str) -> str:
    """The picture of an architecture with a head.

    Args:
        spec: the architecture; its width is written as C.
        head: "heat maps", "landmarks", "classes", "concat", "ocr", or a head of `detection`.
    """
    canvas = Canvas()
    _streams(canvas, spec)
    lite = isinstance(spec, LiteHRNetSpec)
    count = 1 if head == "heat maps" and not lite else len(STRIDES)
    _trunk(canvas, spec, count)
    if lite:
        _iterative(canvas)
    _head(canvas, head, 1 if lite else count)
    kind = "Lite-HRNet" if lite else "HRNet"
    return canvas.svg(f"{kind}, modules {spec.modules}, {head}")


def _streams(canvas, spec):
    for i, (stride, channels) in enumerate(zip(STRIDES, spec.channels, strict=True)):
        times = channels // spec.width
        canvas.text(12, row(i) + 4, f"1/{stride}", COLOURS[i], "start")
        canvas.text(92, row(i) + 4, f"{times if times > 1 else ''}C", COLOURS[i], "end")
    canvas.text(12, 30, "stride", anchor="start")
    canvas.text(92, 30, "channels", anchor="end")
    canvas.x = 112


def _trunk(canvas, spec, outputs):
    """The stem, then the stages with a module of each stream and an exchange unit behind it."""
    lite = isinstance(spec, LiteHRNetSpec)
    _stage(canvas, "stem", 56)
    canvas.box(row(0), 56, "shuffle" if lite else "2 × 3×3", GREY)
    canvas.x += 56
    if not lite:
        _link(canvas, [0], [0])
        _stage(canvas, "stage 1", 92)
        blocks = "bottleneck" + "s" * (spec.stage1_blocks > 1)
        canvas.box(row(0), 92, f"{spec.stage1_blocks} {blocks}", COLOURS[0])
        canvas.x += 92
    for stage, modules in enumerate(spec.modules):
        streams = range(stage + 2)
        name = f"stage {stage if lite else stage + 2}"
        start = canvas.x + GAP
        for module in range(modules):
            older = streams if module else streams[:-1]
            if not module:  # the new stream begins as the last one at half the resolution
                new = streams[-1]
                canvas.line((canvas.x, row(new - 1)), (canvas.x + GAP, row(new)), COLOURS[new - 1])
            _link(canvas, older, older)
            for i in streams:
                canvas.box(row(i), BOX, f"×{spec.blocks}", COLOURS[i])
            canvas.x += BOX
        canvas.text((start + canvas.x) // 2, 30, name)
    _link(canvas, range(len(STRIDES)), range(outputs))


def _stage(canvas, name, width):
    canvas.text(canvas.x + width // 2, 30, name)


def _link(canvas, sources: Sequence[int], targets: Sequence[int]):
    """An exchange unit: a line from every stream to every stream of the next column."""
    for i in sources:
        for j in targets:
            canvas.line((canvas.x, row(i)), (canvas.x + GAP, row(j)), COLOURS[i])
    canvas.x += GAP


def _iterative(canvas):
    """Lite-HRNet's own way to all resolutions, from the lowest upwards."""
    canvas.text(canvas.x + 36, 30, "upwards")
    for i in range(len(STRIDES)):
        canvas.box(row(i), 72, "DW + 1×1", COLOURS[i])
        if i:
            middle = canvas.x + 36
            canvas.line((middle, row(i)), (middle, row(i - 1)), COLOURS[i])
    canvas.x += 72
    _link(canvas, [0], [0])


def _head(canvas, head, streams):
    if head == "classes":
        return _classes(canvas)
    if streams > 1:
        _tall(canvas, "concat", 56)
    if head in HEADS:
        return _detector(canvas, head)
    steps = {
        "heat maps": ["1×1"],
        "landmarks": ["1×1, BN", "1×1"],
        "concat": ["1×1, BN", "1×1"],
        "ocr": ["3×3", "object regions,\nattention", "1×1"],
    }[head]
    results = {"heat maps": "heat maps", "landmarks": "heat maps"}
    for step in steps:
        width = 112 if "\n" in step else 64
        canvas.line((canvas.x, row(0)), (canvas.x + 18, row(0)), GREY)
        canvas.x += 18
        canvas.box(row(0), width, step, GREY, 44 if "\n" in step else HEIGHT)
        canvas.x += width
    _result(canvas, row(0), results.get(head, "classes of pixels"))


def _result(canvas, y, text):
    canvas.line((canvas.x, y), (canvas.x + 18, y), GREY)
    canvas.text(canvas.x + 22, y + 4, text, anchor="start")
    canvas.x += 22 + 7 * len(text)


def _tall(canvas, text, width):
    """A box beside all streams."""
    canvas.box(row(0) + 3 * ROW // 2, width, text, GREY, 3 * ROW + HEIGHT)
    canvas.x += width


def _classes(canvas):
    """Bottlenecks in every stream, merged downwards."""
    canvas.text(canvas.x + 32, 30, "bottleneck")
    for i in range(len(STRIDES)):
        canvas.box(row(i), 64, f"{128 * 2**i}", COLOURS[i])
        if i:
            middle = canvas.x + 32
            canvas.line((middle, row(i - 1)), (middle, row(i)), COLOURS[i - 1])
    canvas.x += 64
    for step in ("1×1, 2048", "mean", "dense"):
        width = 78 if "," in step else 54
        canvas.line((canvas.x, row(3)), (canvas.x + 14, row(3)), GREY)
        canvas.x += 14
        canvas.box(row(3), width, step, GREY)
        canvas.x += width
    _result(canvas, row(3), "class")


def _detector(canvas, head):
    """The pyramid, then what reads its levels."""
    kind, middle = HEADS[head], row(0) + 3 * ROW // 2
    canvas.line((canvas.x, middle), (canvas.x + 18, middle), GREY)
    canvas.x += 18
    levels = f"P{kind.levels[0]} … P{kind.levels[-1]}"
    _tall(canvas, f"pyramid\n{levels}", 80)
    each = "" if kind.stages == 1 else f"{kind.stages} "
    many = "" if kind.stages == 1 else "s"
    branches = {"RPN": "regions", f"{each}box head{many}": "classes, boxes"}
    if not kind.stages:
        branches = {"2 towers": "classes, boxes, centres"}
    if kind.masks:
        branches[f"{each}mask head{many}"] = "masks"
    if head == "htc":
        branches["semantic"] = "classes of pixels"
    start, ends = canvas.x, []
    for i, (text, result) in enumerate(branches.items()):
        canvas.x = start
        _branch(canvas, row(i), text, result)
        ends.append(canvas.x)
    canvas.x = max(ends)


def _branch(canvas, y, text, result):
    canvas.line((canvas.x, y), (canvas.x + 18, y), GREY)
    canvas.x += 18
    canvas.box(y, 92, text, GREY)
    canvas.x += 92
    _result(canvas, y, result)
