"""Operators that make, vary, compare and accept genotypes."""
