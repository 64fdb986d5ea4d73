"""The words that a conditional diffusion model is asked by."""

import numpy as np
import pytest

from recipes import diffusion
from recipes._diffusion.words import NUMBERS, labels_of
from recipes._runtime.errors import UserError


def test_prompts_are_words_or_numbers():
    """In any case, with commas, of several words; the answer to others has those there are."""
    assert labels_of("Three, 7 zero", list(NUMBERS)) == [3, 7, 0]
    assert labels_of("ankle-boot bag", ["bag", "ankle boot"]) == [1, 0]
    with pytest.raises(UserError, match=r"'a' is no word of the model, which knows zero"):
        labels_of("a seven", list(NUMBERS))


def test_only_classes_that_were_trained_are_asked_for(tmp_path, float32):
    """Labels may leave numbers out; nothing was learned of those."""
    rng = np.random.default_rng(0)
    labels = np.tile([0, 5, 2], 20)
    np.savez(tmp_path / "gaps.npz", x=rng.uniform(-1, 1, (60, 8, 8)), labels=labels)
    flags = {"data": str(tmp_path / "gaps.npz"), "condition": "class", "batch_size": 8}
    args, data = diffusion.resolve(diffusion.Args(**flags))
    np.testing.assert_array_equal(data.asked(args, 4), [0, 2, 5, 0])
    with pytest.raises(UserError, match="no training point is of class 3"):
        diffusion.resolve(diffusion.Args(**flags, prompt="5 3"))
