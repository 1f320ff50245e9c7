"""The surrogate: what a genotype comes to, predicted from what is known, and what it would add."""
