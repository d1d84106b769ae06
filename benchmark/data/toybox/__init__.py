"""The built-in synthetic dataset (toybox): procedural scenes of ten stuff and ten thing classes."""
