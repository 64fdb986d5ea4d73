"""What the optimum is, in closed form: arrays in, arrays out."""

from theory.transport import (
    Move as Move,
)
from theory.transport import (
    TransportPlan as TransportPlan,
)
from theory.transport import (
    moves as moves,
)
from theory.transport import (
    optimal_transport as optimal_transport,
)
from theory.transport import (
    piles_of_dirt as piles_of_dirt,
)
from theory.transport import (
    wasserstein as wasserstein,
)
from theory.transport import (
    wasserstein1_normal as wasserstein1_normal,
)
from theory.transport import (
    wasserstein2_gaussian as wasserstein2_gaussian,
)
from theory.transport import (
    wasserstein_1d as wasserstein_1d,
)
from theory.transport import (
    wasserstein_1d_quantiles as wasserstein_1d_quantiles,
)
