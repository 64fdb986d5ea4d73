r"""Linear inverse problems $y = Ax_0 + sn$: operators, and denoisers guided by an observation."""

from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from models.diffusion.guidance import as_floating, score_weight
from models.diffusion.samplers import Denoise, count
from models.layers.conv import average_pool
from theory import NoiseLevel

COVARIANCES = ("none", "isotropic", "tweedie")


class Entries(eqx.Module):
    """The operator of inpainting: the entries of a point that a mask keeps, shape `(k,)`.

    - `kept`: their places in the flattened point, shape `(k,)`. `shape`: of a point, static.
    """

    kept: Int[Array, " k"]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, known: Bool[Array | np.ndarray, "*shape"]):
        """Keep the entries where `known`, of the shape of a point, is true; at least one."""
        places = np.flatnonzero(np.asarray(known))
        if len(places) == 0:
            raise ValueError("known must be true for at least one entry.")
        self.kept, self.shape = jnp.asarray(places), np.shape(known)

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, " k"]:
        if x.shape != self.shape:
            raise ValueError(f"a point must have the shape {self.shape}, got {x.shape}.")
        return x.ravel()[self.kept]


class Pooled(eqx.Module):
    """The operator of super-resolution: means of squares of pixels of an image `(h, w, c)`.

    - `factor`: pixels of a square's side, static.
    """

    factor: int = eqx.field(static=True)

    def __init__(self, factor: Any):
        """Pool squares of `factor` times `factor` pixels."""
        self.factor = count("factor", factor)

    def __call__(self, x: Float[Array, "h w c"]) -> Float[Array, "h2 w2 c"]:
        if x.ndim != 3 or x.shape[0] % self.factor or x.shape[1] % self.factor:
            raise ValueError(
                "Pooled needs an image (h, w, c) whose sides are multiples of "
                f"{self.factor}, got {x.shape}."
            )
        return average_pool(x, self.factor)


class LinearObservation(eqx.Module):
    r"""An observation $y = Ax_0 + sn$ with $n \sim N(0, I)$.

    - `operator`: $A$, a linear function of one point, `Entries` and `Pooled` among them.
    - `observed`: $y$, of the shape of its values. `noise`: $s \ge 0$, shape `()`.
    """

    operator: Callable[[Array], Array]
    observed: Float[Array, "*seen"] = eqx.field(converter=as_floating)
    noise: Float[Array, ""] = eqx.field(converter=as_floating, default=0.0)

    def __check_init__(self):
        if not isinstance(self.noise, Tracer) and self.noise < 0:
            raise ValueError(f"noise must not be negative, got {float(self.noise):g}.")

    def misfit(self, x: Float[Array, "*shape"]) -> Float[Array, "*seen"]:
        """$y - Ax$.

        **Raises:** `ValueError` if the operator's values have another shape than the observation.
        """
        seen = self.operator(x)
        if seen.shape != self.observed.shape:
            raise ValueError(
                f"observed must have the shape of the operator's values, {seen.shape}, "
                f"got {self.observed.shape}."
            )
        return self.observed.astype(x.dtype) - seen

    def adjoint(
        self, seen: Float[Array, "*seen"], like: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        r"""$A^\top u$, of the shape of `like`."""
        return jax.linear_transpose(self.operator, like)(seen)[0]


class InverseGuided(eqx.Module):
    r"""A denoiser guided by a linear observation: an approximation of $E(x_0|x, y)$.

    $$\hat x_0 + w M A^\top (A V A^\top + s^2 I)^{-1}(y - A\hat x_0), \qquad
      M = \frac{\sigma^2}{\alpha}\Bigl(\frac{\partial\hat x_0}{\partial x}\Bigr)^\top$$

    It is $\hat x_0 + w\frac{\sigma^2}{\alpha}\nabla\log N(y; A\hat x_0, AVA^\top + s^2I)$ with $V$,
    which stands for $\operatorname{Cov}(x_0|x)$, held fixed. The exact covariance is $M$ itself
    (Tweedie's formula), so that on Gaussian data `tweedie` is $E(x_0|x, y)$.

    - `denoiser`: `(x, level) -> denoised`. `observation`: $y$ with its operator.
    - `covariance`: $V$, static. `none` is 0 (DPS: $s > 0$, and stiff where it is small);
      `isotropic` is $\frac{d^2\sigma^2}{\alpha^2d^2 + \sigma^2}I$ (ΠGDM); `tweedie` is $M$, and
      costs a pull-back through the denoiser for each step of the linear solver.
    - `data_std`: $d$, the deviation of the data. `scale`: $w$. Shape `()`.
    - `solver`: of the linear system, static; by default conjugate gradients, which take $M$ for
      symmetric and positive semidefinite. `lineax.LU()` takes it as it is.

    At $\alpha = 0$, where the quotient has a limit that the derivative does not determine, the
    correction is left out. An evaluation costs one of the denoiser, and pull-backs through it.

    !!! cite "Source"

        Chung et al. (2023), arXiv:2209.14687 (DPS); Song et al. (2023), "Pseudoinverse-guided
        diffusion models for inverse problems", ICLR; Boys et al. (2023), arXiv:2310.06721, and
        Rozet et al. (2024), arXiv:2405.13712, for Tweedie's covariance.
    """

    denoiser: Denoise
    observation: LinearObservation
    covariance: Literal["none", "isotropic", "tweedie"] = eqx.field(
        static=True, default="isotropic"
    )
    data_std: Float[Array, ""] = eqx.field(converter=as_floating, default=1.0)
    scale: Float[Array, ""] = eqx.field(converter=as_floating, default=1.0)
    solver: lx.AbstractLinearSolver = eqx.field(
        static=True, default=lx.CG(rtol=1e-5, atol=1e-30, max_steps=50)
    )

    def __check_init__(self):
        if self.covariance not in COVARIANCES:
            raise ValueError(
                f"covariance must be one of {', '.join(COVARIANCES)}, got {self.covariance!r}."
            )
        noise = self.observation.noise
        if self.covariance == "none" and not isinstance(noise, Tracer) and noise == 0:
            raise ValueError("without a covariance, the observation must have noise, got 0.")

    def __call__(self, x: Float[Array, "*shape"], level: NoiseLevel) -> Float[Array, "*shape"]:
        level = NoiseLevel(*(part.astype(x.dtype) for part in level))
        seen = self.observation
        std, noise = self.data_std.astype(x.dtype), seen.noise.astype(x.dtype)
        denoised, pull = jax.vjp(lambda x: self.denoiser(x, level).astype(x.dtype), x)
        # Everything in units of the isotropic covariance, in which M is of order 1 at all levels.
        unit = (std * level.sigma) ** 2 / ((std * level.alpha) ** 2 + level.sigma**2)
        pulled = lambda u: score_weight(level) / unit * pull(seen.adjoint(u, x))[0]
        spread = {
            "none": lambda u: 0 * u,
            "isotropic": lambda u: seen.operator(seen.adjoint(u, x)),
            "tweedie": lambda u: seen.operator(pulled(u)),
        }[self.covariance]
        # At alpha = 0, where M is taken for 0, any system will do that has a solution.
        ridge = jnp.where(level.alpha == 0, 1, noise**2 / unit)
        solved = self._solve(lambda u: spread(u) + ridge * u, seen.misfit(denoised))
        return denoised + self.scale.astype(x.dtype) * pulled(solved)

    def _solve(self, multiply: Callable[[Array], Array], right: Array) -> Array:
        # lineax mixes its counters with floats, which strict promotion forbids.
        with jax.numpy_dtype_promotion("standard"):
            operator = lx.FunctionLinearOperator(
                multiply, jax.eval_shape(lambda: right), lx.positive_semidefinite_tag
            )
            return lx.linear_solve(operator, right, self.solver, throw=False).value
