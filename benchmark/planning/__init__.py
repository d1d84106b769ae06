"""Resolution of the names that users type into runs."""
