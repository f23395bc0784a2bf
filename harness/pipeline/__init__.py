"""From a configuration to a finished record: plan, corpus, training, generation, grading."""
