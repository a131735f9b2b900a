"""Draw windows.png: how far off standard deviations of moving windows are before and after a spike.

python docs/img/windows.py        needs bottleneck, pandas and Matplotlib
"""

from pathlib import Path

import bottleneck
import matplotlib
import numpy as np
import pandas

import pycrust

matplotlib.use("Agg")
import matplotlib.pyplot as plt

WINDOW, SPIKE = 20, 100
x = np.random.default_rng(0).normal(size=300)
x[SPIKE] = 1e9
right = pycrust.move_std(x, WINDOW)
others = {
    "bottleneck": bottleneck.move_std(x, WINDOW),
    "pandas": pandas.Series(x).rolling(WINDOW).std(ddof=0).to_numpy(),
}

figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(7, 4.6), height_ratios=(1, 1.3), layout="constrained")
for (name, values), style in zip(others.items(), ("C1-", "C0--"), strict=True):
    above.plot(values, style, lw=1.2, label=name)
    below.semilogy(np.maximum(abs(values / right - 1), 2.0**-54), style, lw=1.2, label=name)
above.plot(right, "k-", lw=1.2, label="pycrust")
above.set_ylim(0, 5)
above.set_ylabel("standard deviation")
below.axhline(2.0**-53, color="k", lw=1.2, label="pycrust: at most this")
below.set_ylabel("relative error")
below.set_xlabel(f"position; a spike of 1e9 at {SPIKE}, windows of {WINDOW}")
for axes in (above, below):
    axes.axvspan(SPIKE, SPIKE + WINDOW - 1, color="0.9")
    axes.legend(loc="center left", fontsize=8)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)
