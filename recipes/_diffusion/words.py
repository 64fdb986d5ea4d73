"""Classes in words: prompts in miniature."""

import re
from pathlib import Path

from recipes._data import Dataset, is_folder
from recipes._data.pictures import class_folders
from recipes._runtime.errors import UserError

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
WORDS: dict[str, tuple[str, ...]] = {
    "digits": NUMBERS,
    "mnist": NUMBERS,
    "fashion_mnist": (
        "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
        "ankle boot",
    ),
    "cifar10": (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    ),
}  # fmt: skip
"""Names of the classes of data sets, in the order of their labels."""
MOST_SHOWN = 30
"""Words that an error lists."""


def class_words(data: str, loaded: Dataset, classes: int) -> list[str]:
    """The name of each class: that of the data set, that of a folder, or its number."""
    names = WORDS.get(data)
    if names is None and is_folder(data):
        names = class_folders(Path(data))
    if names is None or len(names) < classes:
        return [str(label) for label in range(classes)]
    return list(names[:classes])


def labels_of(prompt: str, words: list[str]) -> list[int]:
    """The classes that a prompt names, in its order; by their words or their numbers.

    **Raises:** `UserError` for a word that names none.
    """
    known = {str(label): label for label in range(len(words))}
    known |= {_plain(word): label for label, word in enumerate(words)}
    parts, found = re.split(r"[\s,]+", _plain(prompt).strip()), []
    longest = max(len(name.split()) for name in known)
    while parts and parts[0]:
        for length in range(min(longest, len(parts)), 0, -1):
            label = known.get(" ".join(parts[:length]))
            if label is not None:
                found.append(label)
                parts = parts[length:]
                break
        else:
            shown = ", ".join(words[:MOST_SHOWN]) + (", ..." if len(words) > MOST_SHOWN else "")
            raise UserError(
                f"--prompt {prompt!r}: {parts[0]!r} is no word of the model, which knows {shown}."
            )
    if not found:
        raise UserError(f"--prompt {prompt!r} names no class; give words such as {words[0]!r}.")
    return found


def _plain(text: str) -> str:
    return re.sub(r"[-_]+", " ", text.lower())
