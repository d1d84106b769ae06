"""From the names a user types to resolved runs."""
