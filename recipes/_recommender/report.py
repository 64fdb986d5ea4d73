"""The end of a run: every ranking on the test users, the latents, tables and pictures."""

from typing import Any, NamedTuple

import numpy as np

import gameopt as go
from recipes._recommender.baselines import Baseline, popularity
from recipes._recommender.data import HeldOut, RecommenderData
from recipes._recommender.judge import TABLE, TOP, Judge, Measured
from recipes._recommender.pictures import Latents, draw_curves, draw_latents, draw_rankings
from recipes._report.tables import markdown, mean_and_error, plus_minus, write_csv
from recipes._runtime.progress import says
from recipes._runtime.run import RunFolder

NAMES = {"vae": "Mult-VAE", "dae": "Mult-DAE"}
MOST_SHOWN = 1000
"""Users in recommendations.csv."""


class Report(NamedTuple):
    """Rankings by name, in the order of the table.

    - `test`: their metrics on the test users. `validation`: NDCG@100 of the baselines there.
    - `explained`: of generated users, the share of the true latents' variance that a linear map of
      a model's latents explains on the test users, and that of their posterior means.
    """

    test: dict[str, Measured]
    validation: dict[str, float]
    explained: dict[str, float]

    def numbers(self) -> dict[str, Any]:
        """The entries of the summary."""
        rounded = lambda means: {n: None if v is None else round(v, 5) for n, v in means.items()}
        found: dict[str, Any] = {"test": {n: rounded(m.means()) for n, m in self.test.items()}}
        if self.explained:
            found["share_of_optimum"] = {name: round(self.share(name), 4) for name in self.test}
            found["latent_variance_explained"] = rounded(self.explained)
        return found

    def share(self, name: str) -> float:
        """The NDCG@100 of a ranking over that of the last one of the table."""
        *_, last = self.test.values()
        return float(self.test[name].ndcg.mean() / last.ndcg.mean())

    def table(self) -> str:
        """The table in Markdown: means over the test users with standard errors.

        Beside them each NDCG@100 less that of the last ranking, as a mean of paired differences.
        """
        *_, (last, best) = self.test.items()
        rows = []
        for name, measured in self.test.items():
            means = measured.means()
            cells = [plus_minus(means[m] or 0.0, means[f"{m}_error"], 4) for m in TABLE]
            paired = plus_minus(*mean_and_error(measured.ndcg - best.ndcg), 4)
            rows.append([name, *cells, f"{self.share(name):.1%}", "" if name == last else paired])
        heads = ("ranking", *TABLE.values(), f"NDCG of {last}", f"NDCG less {last}")
        return markdown(heads, rows)


def report(
    folder: RunFolder,
    data: RecommenderData,
    players: go.Players,
    rounds: dict[str, int],
    others: list[Baseline],
    validation: Judge,
) -> Report:
    """Measure on the test users, write the tables, and draw.

    **Arguments:** `rounds`: in which the players' networks were best on the validation users.
    """
    test = Judge(data.test)
    with says("rankings of the test users"):
        measured = {
            other.name: test(other.scores(data.test))
            for other in others
            if other.name != "Bayes-optimal"
        }
        for name in sorted(players.y):  # the DAE first
            measured[NAMES[name]] = test.of_model(players.x.networks[name], players.y[name])
        measured |= {
            other.name: test(other.scores(data.test))
            for other in others
            if other.name not in measured
        }
        levels = {
            other.name: float(validation(other.scores(data.validation)).ndcg.mean())
            for other in others
        }
    shown = _latents(data, players, validation, test)
    found = Report(
        measured, levels, {part.name: part.explained for part in shown if part.explained}
    )
    print(f"\n{found.table()}")
    (folder.path / "table.md").write_text(found.table(), encoding="utf-8")
    _write_recommendations(folder, data, found)
    with says("drawing"):
        draw_curves(folder.read_metrics(), NAMES, rounds, levels, folder.path / "curves.png")
        draw_rankings(measured, data, popularity(data.train), folder.path / "rankings.png")
        draw_latents(shown, data.test, folder.path / "latents.png")
    return found


def _latents(
    data: RecommenderData, players: go.Players, validation: Judge, test: Judge
) -> list[Latents]:
    """The latents to draw: of generated users beside the true ones, in whose plane they are."""
    pairs = {
        NAMES[name]: [judge.latents(encoder) for judge in (validation, test)]
        for name, encoder in sorted(players.y.items(), reverse=True)
    }
    if data.test.latents is None:
        return [Latents(name, _principal(of_test)) for name, (_, of_test) in pairs.items()]
    bayes = data.bayes
    assert bayes is not None
    best = bayes.posterior_means(data.test.fold_in)
    parts = [
        Latents("true latents", data.test.latents),
        Latents("posterior mean", best, _explained(data.test, best)),
    ]
    for name, (of_validation, of_test) in pairs.items():
        mapped = _mapped(of_validation, data.validation, of_test)
        parts.append(Latents(name, mapped, _explained(data.test, mapped)))
    return parts


def _principal(latents: np.ndarray) -> np.ndarray:
    """The first two principal components, shape `(n, 2)`; of a single number, itself twice."""
    centred = latents - latents.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    return centred @ directions[[0, min(1, len(directions) - 1)]].T


def _mapped(fitted_on: np.ndarray, users: HeldOut, latents: np.ndarray) -> np.ndarray:
    """Latents in the plane of the true ones, by the linear map that fits the users' best."""
    with_one = lambda values: np.column_stack([values, np.ones(len(values))])
    assert users.latents is not None
    slopes = np.linalg.lstsq(with_one(fitted_on), users.latents, rcond=1e-6)[0]
    return with_one(latents) @ slopes


def _explained(users: HeldOut, found: np.ndarray) -> float:
    """The share of the variance of the true latents that is explained."""
    assert users.latents is not None
    rest = np.sum((users.latents - found) ** 2)
    return float(1 - rest / np.sum((users.latents - users.latents.mean(axis=0)) ** 2))


def _write_recommendations(folder: RunFolder, data: RecommenderData, found: Report) -> None:
    """Writes the first items that each model recommends to the first test users."""
    rows = [
        (name, user, rank, data.items[item])
        for name in NAMES.values()
        if name in found.test
        for user, top in enumerate(found.test[name].top[:MOST_SHOWN, : TOP // 2])
        for rank, item in enumerate(top, 1)
    ]
    write_csv(("model", "test_user", "rank", "item"), rows, folder.path / "recommendations.csv")
