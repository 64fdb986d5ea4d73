"""Second-order certificates of players as lines of JSON, during a run or at its end."""

import dataclasses
import sys
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

import gameopt as go
from recipes._certify.pictures import draw_history, draw_path_angles, draw_spectra
from recipes._runtime import checkpoint
from recipes._runtime.errors import UserError
from recipes._runtime.fields import AtLeast0, AtLeast1
from recipes._runtime.run import RunFolder, TrainArgs
from recipes._runtime.seeds import key_of

VERDICTS = go.EquilibriumReport.verdict_names
CURVATURES = ("hessian_x", "hessian_y", "schur_x", "schur_y")
FROM_START, FROM_LAST = "from the first players", "from the last certificate"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProbeArgs(TrainArgs):
    """The flags of a training that is certified while it goes on."""

    certify_every: AtLeast0 = 0
    """Rounds between two certificates, a multiple of --eval-every: what the players' Hessians and
    the game's Jacobian say, in metrics.jsonl and in pictures in probe/. 0 for none."""
    certify_samples: AtLeast1 = 512
    """Points of the game that is certified: minibatches of --batch-size, drawn once."""
    certify_matvecs: AtLeast1 = 32
    """Products that each Krylov space of a certificate takes; more see the spectrum's ends
    sharper."""


def check_probe(args: ProbeArgs) -> None:
    """Raise a `UserError` unless certificates are made at evaluations."""
    if args.certify_every % args.eval_every:
        raise UserError(
            f"--certify-every {args.certify_every} must be a multiple of --eval-every "
            f"{args.eval_every}: a certificate is made at an evaluation."
        )


def stated_game(
    game: go.AbstractGame, samples: int, batch_size: int, key: PRNGKeyArray
) -> go.AbstractGame:
    """The deterministic game that is certified: the mean over minibatches that `key` fixes.

    - `batch_size`: the game's own. As many minibatches are drawn as hold `samples` points.
    """
    return go.over(game, jax.random.split(key, -(-samples // batch_size)))


class Certificate(NamedTuple):
    """`paths`: the path-angles to the players, by where they come from."""

    report: go.EquilibriumReport
    spectrum: go.Spectrum
    rotation: go.Rotation
    paths: dict[str, go.PathAngle]


def certify(
    game: go.AbstractGame,
    players: go.Players,
    starts: dict[str, go.Players],
    *,
    num_matvecs: int,
    learning_rate: float | None = None,
    alphas: int = 76,
) -> Certificate:
    """Everything that is said of one joint strategy of a deterministic game.

    - `starts`: other players, by name; the path-angle is taken from each of them to `players`.
    - `learning_rate`: the step size at which rounds of gradient play are judged, if they are.
    """
    report = go.classify(game, players, num_matvecs=num_matvecs, learning_rate=learning_rate)
    spectrum = go.spectrum(game, players, num_matvecs=num_matvecs)
    # Its own search for the fastest eigenvalue is not needed: the spectrum has it.
    rotation = go.rotation(game, players, num_matvecs=1)
    grid = jnp.linspace(-0.25, 1.25, alphas)
    paths = {
        name: go.path_angle(game, start, players, alphas=grid) for name, start in starts.items()
    }
    return Certificate(report, spectrum, rotation, paths)


def _of_each(name: str, pair: go.Players) -> dict[str, float]:
    """One number for each player; none for an absent one."""
    both = {f"{name}_x": pair.x, f"{name}_y": pair.y}
    return {key: float(number) for key, number in both.items() if number is not None}


def line_of(certificate: Certificate) -> dict[str, Any]:
    """The certificate as JSON values: numbers, verdicts by name, eigenvalues and paths as lists."""
    report, rotation = certificate.report, certificate.rotation
    line: dict[str, Any] = {
        "method": report.method,
        "entries": report.entries,
        **_of_each("loss", report.losses),
        **_of_each("field_norm", report.field_norm),
        "stationarity": float(report.stationarity),
        "radius": float(report.radius),
        "reach": float(report.reach),
        "smooth": bool(report.smooth),
        "noise": float(report.noise),
        "max_step": float(report.max_step),
        "potential_share": float(rotation.potential),
        "rotational_share": float(rotation.rotational),
        "angular_frequency_of_the_field": float(rotation.angular_frequency),
    }
    for name in CURVATURES:
        curvature = getattr(report, name)
        if curvature is not None:
            line[name] = float(curvature.value)
            line[f"{name}_lower"] = float(curvature.lower)
            line[f"{name}_positive"] = go.VERDICT[curvature.positive]
    line |= _leftmost(report.leftmost) | _eigenvalues(certificate.spectrum)
    line["verdicts"] = {name: word(getattr(report, name)) for name in VERDICTS}
    line["paths"] = {name: _path(path) for name, path in certificate.paths.items()}
    return line


def word(verdict: go.VERDICT | None) -> str | None:
    """yes, no or inconclusive; `None` for what was not asked."""
    return None if verdict is None else go.VERDICT[verdict]


def _leftmost(leftmost: go.Leftmost) -> dict[str, Any]:
    value = complex(leftmost.value)
    return {
        "leftmost_real": value.real,
        "leftmost_imaginary": value.imag,
        "leftmost_lower": float(leftmost.lower),
        "leftmost_condition": float(leftmost.condition),
        "leftmost_error": float(leftmost.error),
        "leftmost_positive": go.VERDICT[leftmost.positive],
    }


def _eigenvalues(spectrum: go.Spectrum) -> dict[str, Any]:
    real, imaginary = np.real(spectrum.values), np.imag(spectrum.values)
    there = ~np.isnan(real)
    listed = lambda numbers: np.asarray(numbers, float)[there].tolist()
    turns = np.abs(imaginary[there])
    fastest = int(turns.argmax()) if turns.size else None
    return {
        "frequency": float("nan") if fastest is None else float(turns[fastest]),
        "frequency_damping": float("nan") if fastest is None else float(real[there][fastest]),
        "eigenvalues": {
            "real": listed(real),
            "imaginary": listed(imaginary),
            "residual": listed(spectrum.residuals),
            "error": listed(spectrum.errors),
        },
    }


def _path(path: go.PathAngle) -> dict[str, Any]:
    numbers = {"alpha": path.alphas, "cosine": path.cosine, "field_norm": path.field_norm}
    lists = {name: np.asarray(values).tolist() for name, values in numbers.items()}
    return {**lists, "switch": float(path.switch), "bump": float(path.bump)}


class Probe:
    """Certifies players while they are trained.

    Its pictures, and the players of the last certificate, are in RUN/probe.

    - `game`: the stochastic game that is trained. `first`: the players that it began with.
    """

    def __init__(
        self,
        folder: RunFolder,
        game: go.AbstractGame,
        first: go.Players,
        args: ProbeArgs,
        batch_size: int,
    ):
        key = jax.random.fold_in(key_of(args.seed), 1)
        self.folder, self.first, self.args = folder, first, args
        self.game = stated_game(game, args.certify_samples, batch_size, key)
        self.path = folder.path / "probe"

    def __call__(self, players: go.Players, round: int) -> dict[str, Any] | None:
        """The line of this round's certificate; `None` if there is none in this round."""
        if self.args.certify_every == 0 or round % self.args.certify_every:
            return None
        earlier = [line for line in self.folder.read_metrics() if line["kind"] == "certificate"]
        starts = {FROM_START: self.first} if round > 0 else {}
        if earlier and earlier[-1]["round"] > 0:
            starts |= self._last(players, earlier[-1]["round"])
        certificate = certify(self.game, players, starts, num_matvecs=self.args.certify_matvecs)
        line = {"kind": "certificate", "round": round, **line_of(certificate)}
        checkpoint.save(self.path, round, players, keep=2)
        draw_probe([*earlier, line], self.path)
        return line

    def _last(self, players: go.Players, round: int) -> dict[str, go.Players]:
        try:
            last, _, _ = checkpoint.load(self.path, players, round)
        except UserError as error:
            print(f"no path-angle {FROM_LAST}: {error}", file=sys.stderr)
            return {}
        return {FROM_LAST: last}


def draw_probe(lines: list[dict[str, Any]], folder: Any) -> None:
    """Draw the pictures of the certificates so far."""
    draw_spectra(lines, folder / "spectrum.png")
    draw_history(lines, folder / "history.png")
    if any(line["paths"] for line in lines):
        draw_path_angles(lines, folder / "path_angle.png")
