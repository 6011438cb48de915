"""The application's parts, one folder each: models, schemas, endpoints."""
