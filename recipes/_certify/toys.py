"""Critical points of planar games, certified and compared with published verdicts."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import gameopt as go
from recipes._certify.certificates import VERDICTS, word
from recipes._planar.games import PlanarGame, Verdict
from recipes._planar.portrait import MARKERS, draw_flow
from recipes._report import plots
from recipes._report.plots import THEORY, subplots
from recipes._runtime.seeds import key_of

NEAR = 1e-6
MOST = 32
"""Number of points certified at most: a line of critical points has no end."""
PUBLISHED = {"dne": "nash", "minimax": "minimax", "attractor": "attractor"}
"""Names of the published verdicts: in a report, and of a critical point."""


def certify_toy(
    planar: PlanarGame, starts: int, learning_rate: float, seed: int
) -> tuple[list[dict[str, Any]], list[go.EquilibriumReport], int]:
    """Every known critical point and every one found, by Newton's method from random starts.

    **Returns:** a line of JSON for each, its report, and how many were found in all.
    """
    game, low = planar.make(), jnp.asarray(planar.centre) - planar.half_width
    draw = jax.random.uniform(key_of(seed), (starts, 2))
    x, y = (low[None] + 2 * planar.half_width * draw).T
    reach = planar.half_width + max(abs(c) for c in planar.centre)
    found = go.find_critical_points(game, go.Players(x, y), reach=reach)
    places = np.stack([np.asarray(found.players.x), np.asarray(found.players.y)], axis=1)
    counts = np.asarray(found.counts)
    known = list(game.critical_points())
    published = np.array([[p.players.x, p.players.y] for p in known]).reshape(-1, 2)
    gaps = np.linalg.norm(places[:, None] - published[None], axis=-1)
    new = np.flatnonzero(gaps.min(axis=1, initial=np.inf) > NEAR)
    room = max(MOST - len(known), 0)
    points = [*published, *places[new[:room]]]
    lines, reports = [], []
    for index, place in enumerate(points):
        players = go.Players(jnp.asarray(place[0]), jnp.asarray(place[1]))
        report = go.classify(game, players, learning_rate=learning_rate)
        if index < len(known):
            ends = int(counts[gaps[:, index] <= NEAR].sum())
            verdicts = {name: getattr(known[index], own) for name, own in PUBLISHED.items()}
        else:
            ends, verdicts = int(counts[new[index - len(known)]]), None
        reports.append(report)
        lines.append(_line(game, players, report, verdicts, ends))
    return lines, reports, len(places)


def _line(game, players, report, published, ends: int) -> dict[str, Any]:
    eigenvalues = np.linalg.eigvals(np.asarray(go.jacobian(game, players)))
    return {
        "x": float(players.x),
        "y": float(players.y),
        "is": Verdict(players, report).word,
        "starts_that_ended_here": ends,
        "published": published,
        "verdicts": {name: word(getattr(report, name)) for name in VERDICTS},
        "agrees": None if published is None else _agrees(published, report),
        "eigenvalues": {"real": eigenvalues.real.tolist(), "imaginary": eigenvalues.imag.tolist()},
    }


def _agrees(published: dict[str, bool | None], report: go.EquilibriumReport) -> bool:
    """True if no published verdict is contradicted; inconclusive contradicts nothing."""
    contrary = {True: "no", False: "yes"}
    return all(
        value is None or word(getattr(report, name)) != contrary[value]
        for name, value in published.items()
    )


def toy_table(lines: list[dict[str, Any]]) -> str:
    """A row for each point: where it is, and each verdict, published / found."""
    names = [*PUBLISHED, "degenerate", "spurious", "saddle"]
    rows = [f"{'x':>10} {'y':>10} {'ends':>6}  " + "  ".join(f"{name:<20}" for name in names)]
    spell = {True: "yes", False: "no", None: "-"}
    for line in lines:
        cells = []
        for name in names:
            found = line["verdicts"][name] or "-"
            told = line["published"]
            before = spell[told[name]] if told is not None and name in told else "-"
            cells.append(f"{f'{before} / {found}':<20}")
        place = f"{line['x']:>10.5f} {line['y']:>10.5f} {line['starts_that_ended_here']:>6}"
        rows.append(f"{place}  " + "  ".join(cells))
    return "\n".join(row.rstrip() for row in rows)


def draw_toy(planar: PlanarGame, lines: list[dict[str, Any]], title: str, path: Path) -> None:
    """Left the flow with the points by what they are; right the eigenvalues of each."""
    figure, (left, right) = subplots(1, 2, figsize=(plots.WIDE, 5.4), layout="constrained")
    draw_flow(left, planar.make(), planar)
    right.axvline(0, color=THEORY, lw=1, ls="--", label="imaginary axis: left of it repels")
    told = set()
    for index, line in enumerate(lines):
        marker, color, size = MARKERS[line["is"]]
        label = None if line["is"] in told else line["is"]
        told.add(line["is"])
        style = {"marker": marker, "color": color, "edgecolor": "white", "label": label}
        left.scatter(line["x"], line["y"], s=size, zorder=5, **style)
        left.annotate(str(index + 1), (line["x"], line["y"]), (6, 6), textcoords="offset points")
        values = line["eigenvalues"]
        right.scatter(values["real"], values["imaginary"], s=0.5 * size, zorder=3, **style)
    (x, y), half = planar.centre, planar.half_width
    left.set(xlim=(x - half, x + half), ylim=(y - half, y + half), title=title)
    left.set(xlabel="x (minimises its loss)", ylabel="y (minimises its loss)")
    right.set(title="eigenvalues of the Jacobian at the points", xlabel="real part, per unit time")
    right.set_ylabel("imaginary part: radians per unit of time")
    right.grid(alpha=0.25)
    right.margins(x=0.15)
    for axis in (left, right):
        plots.legend_below(axis, columns=2)
    plots.save(figure, path)
