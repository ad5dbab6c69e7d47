"""Learning: the top floor."""

import os

# Must stand before torch loads OpenMP, whose threads spin for milliseconds while they wait for each other and so starve
# the verifiers that share the cores. Twenty thousand turns bridge the gap from one operation to the next and no more:
# measured on two cores, a small policy's step took 58 ms with this, 67 ms spinning on and 104 ms not spinning at all.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")
