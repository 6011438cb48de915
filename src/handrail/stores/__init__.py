"""Stores: where artifacts and manifests lie."""
