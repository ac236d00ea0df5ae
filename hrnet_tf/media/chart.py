"""Charts as SVG text: the frame and the marks that curves and layer reports are drawn with."""

from html import escape

STYLE = "text { font: 12px system-ui, sans-serif; fill: #5b606b; }"
INK = "#23262d"  # of titles
COLOURS = ("#e4572e", "#2e8b73", "#3b6fb6", "#b8860b", "#7d4ea8", "#8c564b", "#5f6b7a", "#c2407e")


def svg(width: int, height: int, body: str) -> str:
    """A whole picture on white, `width` by `height` units, as wide as the page that shows it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
        f'<style>{STYLE}</style><rect width="100%" height="100%" fill="#ffffff"/>{body}</svg>\n'
    )


def text(x: object, y: object, words: str, colour: str = "", end: str = "", drop: int = 0) -> str:
    """Words beside a point.

    Args:
        x: of the point.
        y: of the point, the base line of the words.
        words: to write.
        colour: of the words; that of `STYLE` if empty.
        end: which end of the words is at x: "start", "middle" or "end".
        drop: units by which the words lie lower.
    """
    style = f' style="fill:{colour}"' if colour else ""
    anchor = f' text-anchor="{end}"' if end else ""
    shift = f' dy="{drop}"' if drop else ""
    return f'<text x="{x}" y="{y}"{shift}{anchor}{style}>{escape(words)}</text>'


def line(x1: object, y1: object, x2: object, y2: object, colour: str) -> str:
    """A thin straight line."""
    return f'<line x1="{x1}" x2="{x2}" y1="{y1}" y2="{y2}" stroke="{colour}"/>'


def curve(points: list[tuple[str, str]], colour: str) -> str:
    """A line through points."""
    path = " ".join(",".join(point) for point in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'


def dot(x: object, y: object, colour: str, radius: int = 3) -> str:
    """A filled circle."""
    return f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{colour}"/>'


def ring(x: object, y: object, colour: str, radius: int = 4) -> str:
    """An open circle."""
    return (
        f'<circle cx="{x}" cy="{y}" r="{radius}" fill="none" stroke="{colour}" stroke-width="2"/>'
    )
