"""Pictures of 10 to 16 bits as pictures of 8: scaled by the bits that their brightest pixel needs.

Cameras of 10, 12 or 14 bits fill the lower bits of 16, so their upper 8 alone are nearly black.
"""

import sys
from collections.abc import Callable

import numpy as np
from PIL import Image

DEPTHS = (8, 10, 12, 14, 16)  # bits of cameras
BRIGHT = 2 ** (DEPTHS[-2] - 8)  # an upper byte from here on needs all 16 bits
# Pillow reads the upper bytes of 16-bit colours. With the other order of bytes, its unpackers read
# the lower ones; grey and alpha have no such unpacker, but all their bytes are read as RGBA.
ORDERS = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
ROWS = 512
LOWER = {
    f"{kind};16{order}": f"{kind};16{other}"
    for kind in ("RGB", "RGBA", "RGBX")
    for order, other in ORDERS.items()
} | {"LA;16B": "RGBA"}

Note = Callable[[str], None]


def is_deep(image: Image.Image) -> bool:
    """Whether a picture that is not loaded has 16 bits a colour."""
    return any(";16" in str(tile.args) for tile in getattr(image, "tile", ()))


def scaled(image: Image.Image, source: object, note: Note) -> Image.Image:
    """A picture of 8 bits from a loaded one for which `is_deep` was true.

    Args:
        image: the picture as Pillow loads it: grey with all bits, or colours with the upper 8.
        source: the file or stream that it was opened from.
        note: receives a remark if fewer than 16 bits are in use.

    Raises:
        ValueError: grey pixels need more than 16 bits.
    """
    if image.mode.startswith("I"):
        grey = np.asarray(image)
        shift = _shift(int(grey.min()), int(grey.max()), note)
        return Image.fromarray((grey >> shift).astype(np.uint8))
    if "transparency" in image.info:
        image.info["transparency"] = tuple(each >> 8 for each in image.info["transparency"])
    if image.mode not in ("RGB", "RGBA") or _brightest(image) >= BRIGHT:
        return image
    lower = _lower(source)
    if lower is None:
        note("colours of 16 bits, of which the upper 8 are used; they are nearly black")
        return image
    shift = _shift(0, max(int(levels.max()) for _, levels in _strips(image, lower)), note)
    for box, levels in _strips(image, lower):
        strip = np.array(image.crop(box))
        strip[..., :3] = levels >> shift
        image.paste(Image.fromarray(strip), box)
    return image


def _brightest(image):
    return max(most for _, most in image.getextrema()[:3])


def _lower(source):
    """A picture whose colours are the lower bytes; None if Pillow has no unpacker for them."""
    if hasattr(source, "seek"):
        source.seek(0)
    with Image.open(source) as image:
        modes = [tile.args if isinstance(tile.args, str) else tile.args[0] for tile in image.tile]
        if not LOWER.keys() >= set(modes):
            return None
        image.tile = [
            tile._replace(args=LOWER[mode] if mode == tile.args else (LOWER[mode], *tile.args[1:]))
            for tile, mode in zip(image.tile, modes, strict=True)
        ]
        image.load()
        if modes[0].startswith("LA"):
            return Image.merge("RGB", [image.getchannel("G")] * 3)
        return image


def _strips(upper, lower):
    """Yields boxes of rows and their colours (h, W, 3) of 16 bits: all need much memory."""
    width, height = upper.size
    for top in range(0, height, ROWS):
        box = (0, top, width, min(top + ROWS, height))
        high, low = (np.asarray(each.crop(box))[..., :3] for each in (upper, lower))
        yield box, (high.astype(np.uint16) << 8) | low


def _shift(darkest, brightest, note):
    """The number of bits by which levels are shifted to become bytes."""
    if darkest < 0 or brightest > 0xFFFF:
        raise ValueError("pixels of more than 16 bits")
    bits = next(bits for bits in DEPTHS if brightest < 2**bits)
    if bits < 16:
        note(f"at most {brightest} of 65535, so it is read as {bits} bits")
    return bits - 8
