"""Who books: users."""
