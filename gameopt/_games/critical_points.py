"""What a critical point of a game is: the verdicts that the literature gives it."""

import equinox as eqx

from gameopt._types import Players


class CriticalPoint(eqx.Module):
    r"""A point with $\xi = 0$, and what it is.

    - `players`: the joint strategy.
    - `nash`: whether it is a differential Nash equilibrium: $H_{xx} \succ 0$, $H_{yy} \succ 0$.
    - `minimax`: whether it is a strict local minimax of the value $V$: $V_{yy} \prec 0$ and
      $V_{xx} - V_{xy} V_{yy}^{-1} V_{yx} \succ 0$; `None` in a general-sum game.
    - `attractor`: whether the flow $\dot z = -\xi(z)$ is drawn to it: every eigenvalue of the
      Jacobian has a positive real part.

    In a zero-sum game a differential Nash equilibrium is both of the others. Nothing else follows.

    !!! cite "Source"

        Ratliff, Burden & Sastry (2016), arXiv:1411.2168 (Nash); Jin, Netrapalli & Jordan (2020),
        arXiv:1902.00618 (minimax); Mazumdar, Jordan & Sastry (2019), arXiv:1901.00838 (attractor).
    """

    players: Players
    nash: bool = eqx.field(static=True)
    minimax: bool | None = eqx.field(static=True)
    attractor: bool = eqx.field(static=True)
