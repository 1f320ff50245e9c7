"""The surrogate: predicts objectives of genotypes, and what they would add to the front."""
