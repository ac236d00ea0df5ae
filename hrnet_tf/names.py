"""Checks of names, and help with misspelt ones."""

import difflib
from collections.abc import Collection

LISTED = 50  # the sentence lists this many names at most


def did_you_mean(word: object, known: Collection[str], n: int = 3, cutoff: float = 0.6) -> str:
    """A sentence for the end of an error message about an unknown name.

    Args:
        word: what the user gave.
        known: the names that exist.
        n: the sentence offers at most this many names.
        cutoff: the sentence offers names that are at least this similar to `word`, 0..1
            (`difflib.SequenceMatcher.ratio`).

    Returns:
        " Did you mean a, b?" with a space in front. If no name is similar, " Choose from a, b, c."
        with all names, or "" if there are more than 50.
    """
    close = difflib.get_close_matches(str(word), known, n, cutoff)
    if close:
        return f" Did you mean {', '.join(close)}?"
    return f" Choose from {', '.join(known)}." if len(known) <= LISTED else ""


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Raises a ValueError unless the value of the argument `name` is one of `choices`."""
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {', '.join(choices)}. Received: {name}={value!r}."
        )
