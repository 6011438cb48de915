"""Databases: the contract, and one adapter per engine."""
