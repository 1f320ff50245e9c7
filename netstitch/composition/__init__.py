"""What a subnetwork is made of: parts of the basis networks and stitches, in words and pictures."""

from netstitch.composition.parts import Composition, Joint, Part, composition
from netstitch.composition.showing import subnetwork_html
from netstitch.composition.words import in_words

__all__ = ["Composition", "Joint", "Part", "composition", "in_words", "subnetwork_html"]
