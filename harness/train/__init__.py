"""From sampled responses to a trained model: what is kept, how it is tokenised, and supervised fine-tuning."""
