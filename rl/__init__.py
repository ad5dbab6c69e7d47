"""Learning: the top floor."""

import os

# Must stand before torch loads OpenMP. By default its threads spin while they wait for each other, which starves the
# verifiers that share the cores: measured on two cores with one of them busy, a training step took 3 to 6 times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
