"""Statistics of evaluation results: arrays in, frozen results out. Knows nothing of models or files.

``docs/statistics.md`` says which question each number answers and what it cannot tell; ``docs/calibration.md`` shows by
simulation that the intervals and tests keep their promises.
"""

from harness.stats.contrast import paired_contrast
from harness.stats.contrast_result import Equivalence, PairedContrast
from harness.stats.crosscheck import McNemar, MixedModel, mcnemar_exact, mixed_model
from harness.stats.interval import Estimate, mean_interval
from harness.stats.multiplicity import benjamini_hochberg, holm
from harness.stats.passk import pass_at_k, pass_at_k_variance
from harness.stats.power import PowerPoint, minimum_detectable_effect, power_curve
from harness.stats.selection import (
    SelectionResult,
    TunedContrast,
    budget_curve,
    make_folds,
    selection_optimism,
    tuned_contrast,
)
from harness.stats.strata import Interaction, StratumEffect, rate_strata, split_samples, strata_interaction
from harness.stats.table import BootstrapRow, TableBootstrap, bootstrap_table
from harness.stats.variance_split import VarianceSplit, VerdictNoise, variance_split, verdict_noise

__all__ = [
    "BootstrapRow",
    "Equivalence",
    "Estimate",
    "Interaction",
    "McNemar",
    "MixedModel",
    "PairedContrast",
    "PowerPoint",
    "SelectionResult",
    "StratumEffect",
    "TableBootstrap",
    "TunedContrast",
    "VarianceSplit",
    "VerdictNoise",
    "benjamini_hochberg",
    "bootstrap_table",
    "budget_curve",
    "holm",
    "make_folds",
    "mcnemar_exact",
    "mean_interval",
    "minimum_detectable_effect",
    "mixed_model",
    "paired_contrast",
    "pass_at_k",
    "pass_at_k_variance",
    "power_curve",
    "rate_strata",
    "selection_optimism",
    "split_samples",
    "strata_interaction",
    "tuned_contrast",
    "variance_split",
    "verdict_noise",
]
