"""Two-player differentiable games, and how to play them."""

from gameopt._dynamics.ergodic_averages import ergodic_averages as ergodic_averages
from gameopt._dynamics.flow import Flow as Flow, Integrator as Integrator, flow as flow
from gameopt._dynamics.high_resolution import high_resolution_flow as high_resolution_flow
from gameopt._dynamics.limit_cycle import (
    MOTIONS as MOTIONS,
    LimitCycle as LimitCycle,
    limit_cycle as limit_cycle,
)
from gameopt._dynamics.local_rate import (
    LocalRate as LocalRate,
    local_rate as local_rate,
    local_rates as local_rates,
)
from gameopt._dynamics.measured_rate import (
    MeasuredRate as MeasuredRate,
    distances as distances,
    measured_rate as measured_rate,
)
from gameopt._dynamics.modified_flow import (
    Overlay as Overlay,
    modified_field as modified_field,
    modified_flow as modified_flow,
    overlay as overlay,
)
from gameopt._dynamics.step_sizes import (
    SafeStep as SafeStep,
    modal_lookahead as modal_lookahead,
    rate_map as rate_map,
    safe_step as safe_step,
)
from gameopt._equilibria.classify import classify as classify
from gameopt._equilibria.critical_points import (
    FoundPoints as FoundPoints,
    find_critical_points as find_critical_points,
)
from gameopt._equilibria.evidence import (
    Curvature as Curvature,
    Leftmost as Leftmost,
)
from gameopt._equilibria.gaps import (
    Gap as Gap,
    duality_gap as duality_gap,
    exploitability as exploitability,
)
from gameopt._equilibria.path_angle import PathAngle as PathAngle, path_angle as path_angle
from gameopt._equilibria.report import EquilibriumReport as EquilibriumReport
from gameopt._equilibria.rotation import Rotation as Rotation, rotation as rotation
from gameopt._equilibria.spectral_density import (
    SpectralDensity as SpectralDensity,
    spectral_density as spectral_density,
)
from gameopt._equilibria.spectrum import Spectrum as Spectrum, spectrum as spectrum
from gameopt._games.base import (
    AbstractGame as AbstractGame,
    CriticalPoint as CriticalPoint,
    ZeroSumGame as ZeroSumGame,
)
from gameopt._games.bilinear import Bilinear as Bilinear
from gameopt._games.derivatives import (
    field as field,
    hessian_product as hessian_product,
    hessian_x as hessian_x,
    hessian_y as hessian_y,
    jacobian as jacobian,
    jvp as jvp,
    loss_gradient as loss_gradient,
    losses_and_field as losses_and_field,
    stationarity as stationarity,
    vjp as vjp,
)
from gameopt._games.dirac_gan import DIRAC_GAN_VARIANTS as DIRAC_GAN_VARIANTS, DiracGAN as DiracGAN
from gameopt._games.finite_sum import (
    AbstractFiniteSumGame as AbstractFiniteSumGame,
    StochasticBilinear as StochasticBilinear,
    over as over,
)
from gameopt._games.from_functions import (
    game_from_losses as game_from_losses,
    zero_sum_game as zero_sum_game,
)
from gameopt._games.identical_interest import (
    IdenticalInterestGame as IdenticalInterestGame,
    identical_interest_game as identical_interest_game,
)
from gameopt._games.iterated import (
    IteratedGame as IteratedGame,
    iterated_matching_pennies as iterated_matching_pennies,
    iterated_prisoners_dilemma as iterated_prisoners_dilemma,
)
from gameopt._games.linear_quadratic import (
    LinearQuadratic as LinearQuadratic,
    ZeroSumLinearQuadratic as ZeroSumLinearQuadratic,
)
from gameopt._games.matrix_game import (
    MatrixGame as MatrixGame,
    matching_pennies as matching_pennies,
    rock_paper_scissors as rock_paper_scissors,
)
from gameopt._games.one_player import (
    OnePlayerGame as OnePlayerGame,
    one_player_game as one_player_game,
)
from gameopt._games.quadratic import (
    Quadratic as Quadratic,
    ZeroSumQuadratic as ZeroSumQuadratic,
)
from gameopt._games.sets import (
    AbstractSet as AbstractSet,
    Ball as Ball,
    Box as Box,
    Simplex as Simplex,
    clip_weights as clip_weights,
    constrained as constrained,
    projected as projected,
)
from gameopt._games.toy_game import (
    PlanarPoint as PlanarPoint,
    ToyGame as ToyGame,
    ZeroSumToyGame as ZeroSumToyGame,
)
from gameopt._games.toy_games import TOY_GAMES as TOY_GAMES
from gameopt._gans.f_gan import (
    FGAN as FGAN,
    FGAN_DUALS as FGAN_DUALS,
    FGANDual as FGANDual,
    f_gan_value as f_gan_value,
)
from gameopt._gans.gan import AbstractGAN as AbstractGAN
from gameopt._gans.gradient_penalties import (
    GradientPenalty as GradientPenalty,
    Penalties as Penalties,
    Penalty as Penalty,
    gradient_norms as gradient_norms,
    gradient_penalty as gradient_penalty,
    interpolates as interpolates,
    squared_gradient_norms as squared_gradient_norms,
    surroundings as surroundings,
)
from gameopt._gans.lipschitz import (
    lipschitz_lower_bound as lipschitz_lower_bound,
    lipschitz_upper_bound as lipschitz_upper_bound,
    product_of_bounds as product_of_bounds,
)
from gameopt._gans.losses import (
    RELATIVISTIC_AVERAGE_LOSSES as RELATIVISTIC_AVERAGE_LOSSES,
    class_cross_entropy as class_cross_entropy,
    hinge_value as hinge_value,
    least_squares_generator_loss as least_squares_generator_loss,
    least_squares_value as least_squares_value,
    minimax_value as minimax_value,
    non_saturating_generator_loss as non_saturating_generator_loss,
    reconstruction_error as reconstruction_error,
    relativistic_average_value as relativistic_average_value,
    relativistic_value as relativistic_value,
    wasserstein_value as wasserstein_value,
)
from gameopt._gans.networks import (
    BATCH_AXIS as BATCH_AXIS,
    critic_scores as critic_scores,
    generated as generated,
)
from gameopt._gans.points import (
    Batch as Batch,
    Conditioned as Conditioned,
    NormalLatent as NormalLatent,
    Points as Points,
    Samples as Samples,
    augmented as augmented,
    value_of as value_of,
)
from gameopt._gans.regularisers import (
    ConsistencyPenalty as ConsistencyPenalty,
    LeCamPenalty as LeCamPenalty,
    OrthogonalPenalty as OrthogonalPenalty,
)
from gameopt._gans.variants import (
    HingeGAN as HingeGAN,
    LeastSquaresGAN as LeastSquaresGAN,
    MinimaxGAN as MinimaxGAN,
    NonSaturatingGAN as NonSaturatingGAN,
    RelativisticAverageGAN as RelativisticAverageGAN,
    RelativisticGAN as RelativisticGAN,
    WassersteinGAN as WassersteinGAN,
)
from gameopt._linalg.linear_solves import solve_linear as solve_linear
from gameopt._loops import (
    Moment as Moment,
    record_info as record_info,
    record_players as record_players,
    rollout as rollout,
    solve as solve,
)
from gameopt._solution import (
    RESULTS as RESULTS,
    Rollout as Rollout,
    Solution as Solution,
    Stats as Stats,
)
from gameopt._solvers.adjusted_fields import (
    LSS as LSS,
    SGA as SGA,
    Consensus as Consensus,
    Hamiltonian as Hamiltonian,
)
from gameopt._solvers.alex import AlexGDA as AlexGDA
from gameopt._solvers.alternating import Alternating as Alternating
from gameopt._solvers.anchored_extragradient import AnchoredExtragradient as AnchoredExtragradient
from gameopt._solvers.averaged import Averaged as Averaged
from gameopt._solvers.base import (
    AbstractSolver as AbstractSolver,
    Known as Known,
    Optimizers as Optimizers,
    RoundInfo as RoundInfo,
    descend as descend,
    init_optimizers as init_optimizers,
    round_info as round_info,
)
from gameopt._solvers.best_answers import Answer as Answer, BestAnswers as BestAnswers
from gameopt._solvers.carrying import Carrying as Carrying
from gameopt._solvers.competitive import ACGD as ACGD, CGD as CGD
from gameopt._solvers.extragradient import (
    Extragradient as Extragradient,
    two_timescale_extragradient as two_timescale_extragradient,
)
from gameopt._solvers.leader_follower import (
    FollowTheRidge as FollowTheRidge,
    Stackelberg as Stackelberg,
)
from gameopt._solvers.lecam_anchors import Anchored as Anchored
from gameopt._solvers.lookahead import Lookahead as Lookahead
from gameopt._solvers.opponent_shaping import LOLA as LOLA, SOS as SOS, LookAhead as LookAhead
from gameopt._solvers.optimistic import (
    Optimistic as Optimistic,
    PastExtragradient as PastExtragradient,
)
from gameopt._solvers.proximal import ProximalPoint as ProximalPoint
from gameopt._solvers.runge_kutta import RungeKutta as RungeKutta
from gameopt._solvers.simultaneous import Simultaneous as Simultaneous, descent as descent
from gameopt._solvers.svre import SVRE as SVRE
from gameopt._solvers.unrolled import Unrolled as Unrolled
from gameopt._trees import playable as playable, tree_norm as tree_norm
from gameopt._types import Fixed as Fixed, Key as Key, Players as Players
from gameopt._verdicts import VERDICT as VERDICT, is_no as is_no, is_yes as is_yes

__version__ = "0.1.0"
