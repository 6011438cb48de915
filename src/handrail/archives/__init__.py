"""Continuous archives: every change is kept as it happens, so that a database can be had as it was at a moment."""
