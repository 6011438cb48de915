"""Gates and the apply plan: what is done in which order, and what undoes it."""
