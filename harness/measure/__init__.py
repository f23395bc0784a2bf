"""What a model's distributions look like where it writes, and how varied its answers are.

Two kinds of measure. *Teacher-forced* ones run a model over token sequences it need not have written and look at its
next-token distribution at each position (:mod:`harness.measure.positions`), with positions labelled without looking at
the model under test (:mod:`harness.measure.classes`, :mod:`harness.measure.branching`). *Text-level* ones need only the
samples (:mod:`harness.measure.texts`), so an audit can work them out again. :mod:`harness.measure.metrics` turns either
into per-problem values by the names that contrasts use.
"""
