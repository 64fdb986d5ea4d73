"""Pictures of recommenders: validation over training, rankings by k and by group, latents."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from recipes._recommender.data import HeldOut, RecommenderData
from recipes._recommender.judge import NDCG_AT, RECALLS_AT, Measured
from recipes._report.plots import (
    COLOURS,
    THEORY,
    Curve,
    Panel,
    columns_of,
    panels,
    save,
    subplots,
    time_map,
)

GROUPS = 5
"""Users by the number of their items, and items by that of their users, in so many parts."""
MODELS = {"Mult-VAE": COLOURS[1], "Mult-DAE": COLOURS[0], "Bayes-optimal": THEORY}
OTHERS = ("#999999", COLOURS[2])
MOST_DRAWN = 2000


class Latents(NamedTuple):
    """Users in a plane, shape `(n, 2)`; `explained`: of the true latents' variance, if any."""

    name: str
    places: np.ndarray
    explained: float | None = None


def _styles(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """A line and a colour for each ranking: dashed is what is no model."""
    others = iter(OTHERS)
    return {
        name: ("--" if name not in MODELS else ":" if name == "Bayes-optimal" else "-",
               MODELS[name] if name in MODELS else next(others))
        for name in names
    }  # fmt: skip


def draw_curves(
    lines: Sequence[dict[str, Any]],
    names: Mapping[str, str],
    rounds: Mapping[str, int],
    levels: Mapping[str, float],
    path: Path,
) -> None:
    """Writes the validation over training beside the baselines, the losses, and the KL.

    **Arguments:** `names`: of the models. `rounds`: the best of each. `levels`: of the baselines.
    """
    found, losses = columns_of(lines, "eval", after=0), columns_of(lines, "train")
    styles = _styles(list(levels))
    curves = [
        Curve(label, found["round"], found[column], color=MODELS[label])
        for name, label in names.items()
        if (column := f"{name}_validation_ndcg_100") in found
    ]
    curves += [
        Curve(
            "_",
            [rounds[name]],
            [found[column][found["round"].index(rounds[name])]],
            "o",
            MODELS[label],
        )
        for name, label in names.items()
        if (column := f"{name}_validation_ndcg_100") in found and rounds[name] in found["round"]
    ]
    ends = [found["round"][0], found["round"][-1]] if found else [0, 1]
    curves += [Curve(name, ends, [level] * 2, *styles[name]) for name, level in levels.items()]
    parts = [Panel("validation users; best rounds as dots", "round", f"NDCG@{NDCG_AT}", curves)]
    likelihoods = [
        Curve(label, losses["round"], losses[f"{name}_nll"], color=MODELS[label])
        for name, label in names.items()
        if f"{name}_nll" in losses
    ]
    parts.append(Panel("training users, a batch", "round", "−log likelihood, nats", likelihoods))
    if "vae_kl" in losses:
        kl = [
            Curve("KL, nats", losses["round"], losses["vae_kl"], color=MODELS["Mult-VAE"]),
            Curve("100 times its weight", losses["round"], 100 * np.array(losses["beta"]), "--"),
        ]
        parts.append(Panel("the KL of Mult-VAE", "round", "nats", kl))
    panels(parts, path, columns=3)


def draw_rankings(
    measured: Mapping[str, Measured], data: RecommenderData, popularity: np.ndarray, path: Path
) -> None:
    """Writes recall by k, NDCG by the size of the fold-in set, and the items that are shown."""
    styles = _styles(list(measured))
    line = lambda name, x, y: Curve(name, x, y, f"{styles[name][0]}", styles[name][1])
    recalls = [line(name, RECALLS_AT, part.recalls.mean(axis=0)) for name, part in measured.items()]
    sizes = np.diff(data.test.fold_in.indptr)
    by_size = np.array_split(np.argsort(sizes, kind="stable"), GROUPS)
    groups = [np.mean(sizes[users]) for users in by_size if len(users)]
    ndcg = [
        line(name, groups, [part.ndcg[users].mean() for users in by_size if len(users)])
        for name, part in measured.items()
    ]
    fifths = np.arange(1, GROUPS + 1)
    shown = [
        line(name, fifths, _shares(part.top.ravel(), popularity)) for name, part in measured.items()
    ]
    wanted = _shares(data.test.held_out.indices, popularity)
    shown.append(Curve("_held-out items", fifths, wanted, "o-", "#bbbbbb"))
    panels(
        [
            Panel("how much is found", "k", "recall@k", recalls, log_x=True),
            Panel("for whom", "items that a user is known by", f"NDCG@{NDCG_AT}", ndcg, log_x=True),
            Panel("which items are recommended", "fifth of the items, rarest first",
                  "share of the top 20", shown),
        ],
        path, columns=3, note="grey dots, right: the held-out items themselves",
    )  # fmt: skip


def _shares(items: np.ndarray, popularity: np.ndarray) -> np.ndarray:
    """The shares of the fifths of all items, rarest first, in a list of items."""
    fifth = np.empty(len(popularity), int)
    for place, part in enumerate(np.array_split(np.argsort(popularity, kind="stable"), GROUPS)):
        fifth[part] = place
    return np.bincount(fifth[items], minlength=GROUPS) / max(len(items), 1)


def draw_latents(parts: Sequence[Latents], users: HeldOut, path: Path) -> None:
    """Writes the test users in a plane: by their true latents' angle, or by their activity."""
    known = users.latents is not None
    figure, axes = subplots(
        1,
        len(parts),
        figsize=(2.5 * len(parts) + 0.8, 3.1),
        squeeze=False,
        layout="constrained",
        sharex=known,
        sharey=known,
    )
    if users.latents is not None:
        colour, colours = np.arctan2(*users.latents.T[::-1]), "hsv"
        bar = "angle of the true latent, rad"
    else:
        sizes = np.diff(users.fold_in.indptr)
        colour, bar, colours = np.log10(np.maximum(sizes, 1)), "known items, log₁₀", time_map()
    dots = None
    for axis, part in zip(axes.flat, parts, strict=True):
        dots = axis.scatter(*part.places[:MOST_DRAWN].T, c=colour[:MOST_DRAWN], s=6, cmap=colours)
        share = "" if part.explained is None else f"\n{part.explained:.0%} of the variance"
        axis.set_title(f"{part.name}{share}", fontsize=10)
        axis.set(xlabel="$z_1$" if known else "first component")
        axis.set_aspect("equal")
        axis.grid(alpha=0.25)
    axes[0, 0].set_ylabel("$z_2$" if known else "second component")
    if dots is not None:
        figure.colorbar(dots, ax=list(axes.flat), label=bar, shrink=0.8)
    save(figure, path)
