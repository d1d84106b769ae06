"""Values and contracts that every other package shares."""
