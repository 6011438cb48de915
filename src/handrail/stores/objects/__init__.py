"""A store of objects in a cloud: S3 and what speaks its language, Google Cloud Storage, Azure Blob Storage."""
