"""HTML files with embedded pictures, for `demo` and `inspect`."""

import base64
import html
import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

STYLE = """
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1rem; background: #fbfaf7; color: #23262d;
       font: 1rem/1.55 system-ui, sans-serif; }
h1 { font-size: 2rem; margin: 0; } h2 { margin: 2.5rem 0 .5rem; }
img, svg { width: 100%; height: auto; border-radius: .5rem; }
table { border-collapse: collapse; } td, th { padding: .3rem .9rem; text-align: right; }
th { border-bottom: 2px solid #23262d; } figcaption, small { color: #5b606b; }
figure { margin: 1rem 0; } pre { background: #23262d; color: #f4f1ea; padding: 1rem; overflow: auto;
       border-radius: .5rem; }
.wide { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 0 1rem;
        width: min(96vw, 110rem); margin-left: calc(50% - min(48vw, 55rem)); }
.bars { columns: 20rem; } .bars div { display: flex; gap: .5rem; font-size: .85rem; }
.bars span { width: 10rem; overflow: hidden; text-overflow: ellipsis; }
.bars i { flex: 1; background: linear-gradient(#2e8b73 0 0) no-repeat #e8e4da; margin: .25rem 0; }
.bars b { width: 3.5rem; text-align: right; font-weight: normal; }
.key { display: inline-block; width: .8rem; height: .8rem; border: 1px solid #23262d;
       border-radius: 50%; }
"""


def page(title: str, body: str) -> str:
    """A complete HTML page with this body."""
    title = html.escape(title)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>{STYLE}</style>
<h1>{title}</h1>
{body}
</html>
"""


def figure(picture: np.ndarray, caption: str) -> str:
    """HTML of a picture (H, W, 3) uint8 RGB with a caption below it."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=88)
    data = base64.b64encode(file.getvalue()).decode()
    caption = html.escape(caption)
    return (
        f'<figure><img alt="{caption}" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def bars(counts: Mapping[str, int], whole: int) -> str:
    """HTML of a bar for each name, as long as its count's share of `whole`."""
    rows = (
        f"<div><span>{html.escape(name)}</span>"
        f'<i style="background-size: {100 * count / max(whole, 1):.1f}% 100%"></i>'
        f"<b>{count}</b></div>"
        for name, count in counts.items()
    )
    return f'<div class="bars">{"".join(rows)}</div>'


def listing(lines: tuple[str, ...], most: int = 100) -> str:
    """HTML list of the first lines, followed by the number of further lines."""
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines[:most])
    more = f"<p>… and {len(lines) - most} more.</p>" if len(lines) > most else ""
    return f"<ul>{items}</ul>{more}" if lines else ""
