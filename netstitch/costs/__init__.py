"""Costs of subnetworks, computed from a supernet: what a search holds against accuracy."""

from netstitch.costs.cost import COSTS, MULTIPLY_ADDS, PARAMETERS, Cost, find_cost

__all__ = ["COSTS", "MULTIPLY_ADDS", "PARAMETERS", "Cost", "find_cost"]
