"""The bare solver: maximum acyclic matchings of two graphs."""
