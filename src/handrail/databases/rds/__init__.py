"""A PostgreSQL database that runs in an instance of Amazon RDS: AWS asked by its own library, snapshots as backups."""
