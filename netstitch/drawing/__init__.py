"""Plain data in, a picture out: charts, and lanes of networks. Knows nothing of networks.

A `Chart` is drawn on a page by `plotly_chart` and on paper by `matplotlib_chart`; these load their
libraries, and are imported when a picture is made.
"""

from netstitch.drawing.chart import Bars, Chart, Series

__all__ = ["Bars", "Chart", "Series"]
