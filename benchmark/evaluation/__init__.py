"""From a method's scores to numbers: `counter` (torch) counts pixels, `counts` (numpy) keeps them, `scores` derives.

Nothing is imported here, so that reading counts and drawing tables never loads torch.
"""
