"""Expectations of an upgrade, and the verdict whether a database met them."""
