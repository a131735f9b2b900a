"""Histograms that threads can count at the same time."""

from tally._tally import histogram, histogram_rows

__all__ = ["histogram", "histogram_rows"]
