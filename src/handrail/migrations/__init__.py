"""Revisions, operations as data, and what a migration script declares to change."""
