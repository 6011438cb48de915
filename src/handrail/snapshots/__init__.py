"""RDS snapshots as values: what a snapshot and an instance are, what is said in their tags, which names are allowed,
when a wait is over, which moments can be had. Pure; `databases/snapshots.py` is the contract of who has them.

A *snapshot* is a DB snapshot of Amazon RDS, manual or automated; an *instance* is a DB instance. Nothing else is called
so.
"""
