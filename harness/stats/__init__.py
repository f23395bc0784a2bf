"""Statistics of evaluation results: arrays in, frozen results out. Knows nothing of models or files.

``docs/statistics.md`` says which question each number answers and what it cannot tell; ``docs/calibration.md`` shows by
simulation that the intervals and tests keep their promises.
"""

from harness.stats.contrast import Equivalence, PairedContrast, paired_contrast
from harness.stats.crosscheck import McNemar, MixedModel, mcnemar_exact, mixed_model
from harness.stats.interval import Estimate, mean_interval
from harness.stats.multiplicity import benjamini_hochberg, holm
from harness.stats.passk import pass_at_k, pass_at_k_variance
from harness.stats.power import PowerPoint, minimum_detectable_effect, power_curve
from harness.stats.table import BootstrapRow, TableBootstrap, bootstrap_table
from harness.stats.variance_split import VarianceSplit, VerdictNoise, variance_split, verdict_noise

__all__ = [
    "BootstrapRow",
    "Equivalence",
    "Estimate",
    "McNemar",
    "MixedModel",
    "PairedContrast",
    "PowerPoint",
    "TableBootstrap",
    "VarianceSplit",
    "VerdictNoise",
    "benjamini_hochberg",
    "bootstrap_table",
    "holm",
    "mcnemar_exact",
    "mean_interval",
    "minimum_detectable_effect",
    "mixed_model",
    "paired_contrast",
    "pass_at_k",
    "pass_at_k_variance",
    "power_curve",
    "variance_split",
    "verdict_noise",
]
