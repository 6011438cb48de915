"""Which backups are kept, why and for how long; what will be there in a year, and what it costs."""
