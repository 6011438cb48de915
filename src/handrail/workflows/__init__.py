"""Workflows: gather facts, ask a pure room once, do the steps, journal each."""
