"""The harness of chimera-bench, independent of which method is measured."""

from benchmark.utils.instruction_set import pin_instruction_set

pin_instruction_set()
