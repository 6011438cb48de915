"""The journal: what a run did, appended before and after each step."""
