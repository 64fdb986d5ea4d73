"""Two-player differentiable games, and how to play them."""

from gameopt._fields import (
    field as field,
)
from gameopt._fields import (
    hessian_x as hessian_x,
)
from gameopt._fields import (
    hessian_y as hessian_y,
)
from gameopt._fields import (
    jacobian as jacobian,
)
from gameopt._fields import (
    jvp as jvp,
)
from gameopt._fields import (
    losses_and_field as losses_and_field,
)
from gameopt._fields import (
    stationarity as stationarity,
)
from gameopt._fields import (
    vjp as vjp,
)
from gameopt._games.base import (
    AbstractGame as AbstractGame,
)
from gameopt._games.base import (
    ZeroSumGame as ZeroSumGame,
)
from gameopt._games.base import (
    constrained as constrained,
)
from gameopt._games.base import (
    game_from_losses as game_from_losses,
)
from gameopt._games.base import (
    zero_sum_game as zero_sum_game,
)
from gameopt._games.bilinear import Bilinear as Bilinear
from gameopt._games.dirac_gan import DIRAC_GAN_VARIANTS as DIRAC_GAN_VARIANTS
from gameopt._games.dirac_gan import DiracGAN as DiracGAN
from gameopt._games.gan import (
    AbstractGAN as AbstractGAN,
)
from gameopt._games.gan import (
    Batch as Batch,
)
from gameopt._games.gan import (
    MinimaxGAN as MinimaxGAN,
)
from gameopt._games.gan import (
    NonSaturatingGAN as NonSaturatingGAN,
)
from gameopt._games.gan import (
    NormalLatent as NormalLatent,
)
from gameopt._games.gan import (
    Samples as Samples,
)
from gameopt._games.gan import (
    WassersteinGAN as WassersteinGAN,
)
from gameopt._games.gan_losses import (
    minimax_value as minimax_value,
)
from gameopt._games.gan_losses import (
    non_saturating_generator_loss as non_saturating_generator_loss,
)
from gameopt._games.gan_losses import (
    wasserstein_value as wasserstein_value,
)
from gameopt._games.quadratic import (
    Quadratic as Quadratic,
)
from gameopt._games.quadratic import (
    ZeroSumQuadratic as ZeroSumQuadratic,
)
from gameopt._lipschitz import (
    lipschitz_lower_bound as lipschitz_lower_bound,
)
from gameopt._lipschitz import (
    lipschitz_upper_bound as lipschitz_upper_bound,
)
from gameopt._lipschitz import (
    product_of_bounds as product_of_bounds,
)
from gameopt._loops import (
    Moment as Moment,
)
from gameopt._loops import (
    record_info as record_info,
)
from gameopt._loops import (
    record_players as record_players,
)
from gameopt._loops import (
    rollout as rollout,
)
from gameopt._loops import (
    solve as solve,
)
from gameopt._penalties import (
    GradientPenalty as GradientPenalty,
)
from gameopt._penalties import (
    critic_scores as critic_scores,
)
from gameopt._penalties import (
    gradient_norms as gradient_norms,
)
from gameopt._penalties import (
    gradient_penalty as gradient_penalty,
)
from gameopt._penalties import (
    interpolates as interpolates,
)
from gameopt._penalties import (
    squared_gradient_norms as squared_gradient_norms,
)
from gameopt._projections import (
    Box as Box,
)
from gameopt._projections import (
    clip_weights as clip_weights,
)
from gameopt._projections import (
    projected as projected,
)
from gameopt._solution import (
    RESULTS as RESULTS,
)
from gameopt._solution import (
    Rollout as Rollout,
)
from gameopt._solution import (
    Solution as Solution,
)
from gameopt._solution import (
    Stats as Stats,
)
from gameopt._solvers.alternating import Alternating as Alternating
from gameopt._solvers.base import AbstractSolver as AbstractSolver
from gameopt._solvers.base import RoundInfo as RoundInfo
from gameopt._solvers.simultaneous import Simultaneous as Simultaneous
from gameopt._trees import playable as playable
from gameopt._trees import tree_norm as tree_norm
from gameopt._types import Key as Key
from gameopt._types import Players as Players

__version__ = "0.1.0"
