"""The report of a certificate, and the table that it prints."""

from typing import Any, ClassVar

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool

from gameopt._equilibria.evidence import VERDICT, Curvature, Leftmost
from gameopt._equilibria.sample import NO_SAMPLE
from gameopt._types import Losses, Players, Scalar


class EquilibriumReport(eqx.Module):
    r"""The second-order report of a point of a game; `str` of it is a table.

    Each verdict is a `VERDICT`: yes, no or inconclusive.

    - `stationary`: whether there is a critical point within `radius`, and that is no further than
      `reach`, or `stationarity` is at most `tol` if that is given; no where a critical point is
      further away. Every other verdict but `degenerate` is no where this is no; what curvature says
      all the same is in `hessian_x.positive` and its like, and in `leftmost.positive`.
    - `dne`: a differential Nash equilibrium, $H_{xx} \succ 0$ and $H_{yy} \succ 0$.
    - `degenerate`: whether $J$ is numerically singular.
    - `minimax`, `maximin`: strict local ones of the value, $H_{yy} \succ 0$ and
      $J_{xx} - J_{xy}J_{yy}^{-1}J_{yx} \succ 0$, or exchanged. `None` in a general-sum game.
    - `attractor`: of the flow $\dot z = -\xi(z)$; `attractor_simultaneous`,
      `attractor_alternating`: of gradient play at `learning_rate`; `None` if that is, the second
      also if y is absent (simultaneous play is then gradient descent).
    - `spurious`: an attractor of the flow that is no differential Nash equilibrium.
    - `saddle`: the flow leaves in one direction and arrives in another.

    Numbers: `losses`, `field_norm` (each player's), `stationarity`; the smallest eigenvalues
    `hessian_x`, `hessian_y` of the players' own Hessians and `schur_x`, `schur_y` of the Schur
    complements (`Curvature`); `leftmost` (`Leftmost`); `tau_star`, a ratio of y's speed to x's
    from which on the point is proved to attract, infinite if there is no proof, and
    `tau_star_lower`, at which it is proved not to, NaN if not computed; `max_step`, the step
    size below which simultaneous play with equal steps is drawn to it, 0 if none (of the Ritz
    values, if `krylov`: an estimate), 0 too where rounding leaves open whether there is one;
    `noise` of products with $J$, to which is added what $J$ may change by up to the critical point;
    `radius`, infinite if no critical point is shown; `tol`, `None` if not given. What an absent
    player would have is `None`: its loss and norm of the field, `hessian_y`, `tau_star`.

    `interior`: false where a set may hold a player. On a face of a set all is asked of the
    Lagrangian on the face's tangent space, and a corner has every positive property. `known`: false
    where nothing is known of a set; `smooth`: false where a kink is within rounding. There every
    verdict that needs second derivatives is inconclusive. `sample`: what a stochastic game was
    judged on.
    """

    verdict_names: ClassVar[tuple[str, ...]] = (
        "stationary",
        "dne",
        "degenerate",
        "minimax",
        "maximin",
        "attractor",
        "attractor_simultaneous",
        "attractor_alternating",
        "spurious",
        "saddle",
    )
    """The fields that are verdicts."""

    stationary: VERDICT
    dne: VERDICT
    degenerate: VERDICT
    minimax: VERDICT | None
    maximin: VERDICT | None
    attractor: VERDICT
    attractor_simultaneous: VERDICT | None
    attractor_alternating: VERDICT | None
    spurious: VERDICT
    saddle: VERDICT
    losses: Losses
    field_norm: Losses
    stationarity: Scalar
    tol: Scalar | None
    radius: Scalar
    reach: Scalar
    hessian_x: Curvature
    hessian_y: Curvature | Any
    schur_x: Curvature | None
    schur_y: Curvature | None
    leftmost: Leftmost
    tau_star: Scalar | Any
    tau_star_lower: Scalar | Any
    max_step: Scalar
    noise: Scalar
    finite: Bool[Array, ""]
    interior: Bool[Array, ""]
    known: Bool[Array, ""]
    smooth: Bool[Array, ""]
    learning_rate: Players[Scalar, Scalar] | None
    failure_probability: Scalar
    sample: str = eqx.field(static=True)
    method: str = eqx.field(static=True)
    entries: int = eqx.field(static=True)

    def __str__(self) -> str:
        if self.stationarity.ndim == 1:
            return self._many()
        if self.stationarity.ndim:
            return f"EquilibriumReport of {self.stationarity.shape} points: index it to print one."
        lines = [self._head(), *self._numbers(), "", *self._verdicts()]
        return "\n".join(line.rstrip() for line in lines)

    def _head(self) -> str:
        if self.method == "dense":
            return f"Equilibrium report: {self.entries} entries, dense Jacobian"
        probability = f"{float(np.ravel(self.failure_probability)[0]):.0e}"
        return (
            f"Equilibrium report: {self.entries:,} entries, Krylov spaces; each verdict fails "
            f"with probability {probability} over the random start, but for rounding"
        )

    def _many(self) -> str:
        """A count of each verdict."""
        count = self.stationarity.shape[0]
        head = f"Equilibrium reports of {count} samples or points: verdicts, and how often"
        names = [name for name in self.verdict_names if getattr(self, name) is not None]
        rows = []
        for name in names:
            words = getattr(self, name)
            count_of = lambda word, words=words: int(np.sum(words == getattr(VERDICT, word)))
            often = {word: count_of(word) for word in VERDICT.names}
            rows.append(f"  {name:<31} " + ", ".join(f"{w} {n}" for w, n in often.items() if n))
        return "\n".join([head, "", *rows])

    def _numbers(self) -> list[str]:
        if not bool(self.finite):
            return ["The losses or their derivatives are inf or nan here: this is no equilibrium."]
        pair = lambda p: f"x {_number(p.x)}" + ("" if p.y is None else f", y {_number(p.y)}")
        stationarity = _number(self.stationarity)
        if self.tol is not None:
            mark = "<=" if float(self.stationarity) <= float(self.tol) else ">"
            stationarity += f" {mark} tol {_number(self.tol)}"
        within = f"within {_number(self.radius)}, asked for within {_number(self.reach)}"
        left = self.leftmost
        rows = [
            ("losses", pair(self.losses)),
            ("norm of the field", pair(self.field_norm)),
            ("stationarity", stationarity),
            ("a critical point", within if np.isfinite(self.radius) else "is not shown nearby"),
            ("smallest eigenvalue of H_xx", _curvature(self.hessian_x)),
        ]
        if self.hessian_y is not None:
            rows.append(("smallest eigenvalue of H_yy", _curvature(self.hessian_y)))
        if self.schur_x is not None and self.schur_y is not None:
            rows += [
                ("smallest of Schur, y answering", _curvature(self.schur_x)),
                ("smallest of Schur, x answering", _curvature(self.schur_y)),
            ]
        leftmost = f"{_number(left.value)}, real parts >= {_number(left.lower)}"
        leftmost += f": {_sign(left.positive)}"
        rows += [
            ("leftmost eigenvalue of J", leftmost),
            ("    its condition, error", f"{_number(left.condition)}, {_number(left.error)}"),
            self._speeds(),
            ("noise of products", _number(self.noise)),
        ]
        if not bool(self.interior):
            what = (
                "on a face, all is asked there" if bool(self.known) else "nothing is known of them"
            )
            rows.append(("sets", what))
        if not bool(self.smooth):
            rows.append(("kink", "the field jumps within rounding"))
        if self.sample != NO_SAMPLE:
            rows.append(("sample", self.sample))
        return [f"  {name:<31} {text}" for name, text in rows]

    def _speeds(self) -> tuple[str, str]:
        if self.tau_star is None:
            return "largest stable step", _number(self.max_step)
        ratios = f"{_number(self.tau_star_lower)} to {_number(self.tau_star)}"
        return "tau*, largest stable step", f"{ratios}, {_number(self.max_step)}"

    def _verdicts(self) -> list[str]:
        rates = "not asked for"
        if self.learning_rate is not None:
            rates = f"step sizes {_number(self.learning_rate.x)}, {_number(self.learning_rate.y)}"
            if self.hessian_y is None:
                rates = f"step size {_number(self.learning_rate.x)}"
        word = lambda value: "-" if value is None else str(value)
        rows = self._of_one(rates) if self.hessian_y is None else self._of_two(rates)
        return [f"  {name:<31} {word(value):<13} {why}" for name, value, why in rows]

    def _of_one(self, rates: str) -> list[tuple[str, VERDICT | None, str]]:
        return [
            ("stationary", self.stationary, ""),
            ("strict local minimum", self.dne, "Hessian positive definite"),
            ("degenerate", self.degenerate, "singular Hessian"),
            ("attractor of the flow", self.attractor, "all eigenvalues positive"),
            ("attractor of gradient descent", self.attractor_simultaneous, rates),
            ("saddle of the flow", self.saddle, "eigenvalues of both signs"),
        ]

    def _of_two(self, rates: str) -> list[tuple[str, VERDICT | None, str]]:
        none = "zero-sum games only"
        return [
            ("stationary", self.stationary, ""),
            ("differential Nash equilibrium", self.dne, "both own Hessians positive definite"),
            ("degenerate", self.degenerate, "singular Jacobian"),
            ("strict local minimax", self.minimax, none if self.minimax is None else "x leads"),
            ("strict local maximin", self.maximin, none if self.maximin is None else "y leads"),
            ("attractor of the flow", self.attractor, "all real parts positive"),
            ("attractor of simultaneous play", self.attractor_simultaneous, rates),
            ("attractor of alternating play", self.attractor_alternating, rates),
            ("spurious attractor", self.spurious, "attracts and is not Nash"),
            ("saddle of the flow", self.saddle, "real parts of both signs"),
        ]


def _number(value: Any) -> str:
    number = np.asarray(value)[()]
    if np.iscomplexobj(number):
        real, imaginary = np.real(number), np.imag(number)
        if np.isnan(real):
            return "not computed"
        return f"{real:.4g} {'-' if imaginary < 0 else '+'} {abs(imaginary):.4g}i"
    return "not computed" if np.isnan(number) else f"{number:.4g}"


def _curvature(curvature: Curvature) -> str:
    if np.isnan(np.asarray(curvature.value)):
        return "not computed"
    bounds = f"{_number(curvature.value)}, at least {_number(curvature.lower)}"
    return f"{bounds}: {_sign(curvature.positive)}"


def _sign(positive: VERDICT) -> str:
    words = {"yes": "positive", "no": "not positive", "inconclusive": "sign inconclusive"}
    return words[str(positive)]
