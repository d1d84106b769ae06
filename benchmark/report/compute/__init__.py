"""Compute of studies: time and machines of every attempt on record, as conferences ask for it."""
