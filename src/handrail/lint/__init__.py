"""Reading migration scripts for what would lose data or fail: findings, rules, engine."""
