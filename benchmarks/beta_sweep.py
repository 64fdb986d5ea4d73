"""The rate-distortion curve of beta-VAEs: a run of recipes.vae for each beta, a table, a picture.

    python benchmarks/beta_sweep.py --out DIR                          # 8x8 digits, a few minutes
    python benchmarks/beta_sweep.py --out DIR --preset mnist --data-dir MNIST --steps 60000

Rate, distortion and their sum are of held-out points, in nats; the log-likelihood is importance
sampled. With beta = 1 the sum is least, but for what training leaves; a straight line of slope -1
through that point is the frontier of models with its likelihood.
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
from _race import table

from recipes import vae
from recipes._report.plots import FAKE, THEORY, Curve, Panel, panels

BETAS = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 16.0)


def swept(args, betas, out):
    """A summary for each beta."""
    return [
        vae.run(dataclasses.replace(args, beta=beta, out=out / f"beta_{beta:g}")).summary
        for beta in betas
    ]


def main():
    parser = argparse.ArgumentParser(description="The rate-distortion curve of beta-VAEs")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--data-dir", type=Path, default=None)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--betas", type=float, nargs="+", default=BETAS)
    given = parser.parse_args()
    args = vae.Args(
        preset=given.preset, data_dir=given.data_dir, steps=given.steps, eval_every=given.steps,
        metrics=False, likelihood_points=1000 if given.preset == "mnist" else 250,
    )  # fmt: skip
    decay = dataclasses.replace(args.optimizer, decay_steps=given.steps)
    found = swept(dataclasses.replace(args, optimizer=decay), given.betas, given.out)
    names = ("rate", "distortion", "elbo", "log_likelihood")
    rows = [
        [f"{beta:g}", *(f"{summary[name]:.4g}" for name in names)]
        for beta, summary in zip(given.betas, found, strict=True)
    ]
    table(["beta", "rate", "distortion", "elbo", "log-likelihood"], rows)
    rate, distortion = (np.asarray([s[name] for s in found]) for name in ("rate", "distortion"))
    order, least = np.argsort(rate), np.argmin(rate + distortion)
    line = rate[least] + distortion[least] - rate
    curves = [
        Curve("beta-VAEs, held out", rate[order], distortion[order], "o-", FAKE),
        Curve("rate + distortion of the best elbo", rate[order], line[order], ":", THEORY),
    ]
    note = "beta " + ", ".join(f"{beta:g}" for beta in given.betas) + ", from right to left"
    panel = Panel("Rate and distortion", "rate, nats", "distortion, nats", curves, note=note)
    panels([panel], given.out / "rate_distortion.png")


if __name__ == "__main__":
    main()
