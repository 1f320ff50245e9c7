"""Cascades: subnetworks and exits as stages, which samples leave once an answer is sure."""

from netstitch.cascades.cascade_search import find_cascades, find_cascades_of
from netstitch.cascades.cascade_settings import CascadeSettings
from netstitch.cascades.evaluated import Evaluated

__all__ = ["CascadeSettings", "Evaluated", "find_cascades", "find_cascades_of"]
