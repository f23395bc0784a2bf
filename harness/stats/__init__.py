"""Statistics of evaluation results: arrays in, frozen results out. Knows nothing of models or files.

``docs/statistics.md`` says which question each number answers and what it cannot tell; ``docs/calibration.md`` shows by
simulation that the intervals and tests keep their promises.
"""

from harness.stats.contrast import Equivalence, PairedContrast, paired_contrast
from harness.stats.interval import Estimate, mean_interval
from harness.stats.multiplicity import benjamini_hochberg, holm
from harness.stats.passk import pass_at_k, pass_at_k_variance
from harness.stats.power import PowerPoint, minimum_detectable_effect, power_curve

__all__ = [
    "Equivalence",
    "Estimate",
    "PairedContrast",
    "PowerPoint",
    "benjamini_hochberg",
    "holm",
    "mean_interval",
    "minimum_detectable_effect",
    "paired_contrast",
    "pass_at_k",
    "pass_at_k_variance",
    "power_curve",
]
