"""Recipe pages: one for each published training, in a folder for each task."""

import pkgutil

from hrnet_tf.cards import NAMES


def find_pages() -> dict[str, str]:
    """Name of each page -> its task, which is the name of its folder."""
    pages = {}
    for task in (each.name for each in pkgutil.iter_modules(__path__) if each.ispkg):
        folders = [f"{folder}/{task}" for folder in __path__]
        pages |= {page.name: task for page in pkgutil.iter_modules(folders)}
    return dict(sorted(pages.items()))


PAGES = find_pages()
TASKS = tuple(name for name in NAMES if name in PAGES.values())
