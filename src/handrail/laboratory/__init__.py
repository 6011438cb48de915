"""A cloud to practise on: RDS on loopback with real PostgreSQL servers behind it, and moto for everything else."""
