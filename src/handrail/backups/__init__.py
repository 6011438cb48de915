"""Backups as values: the record, its manifest, the catalog."""
