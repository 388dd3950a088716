"""The model of a running VM, a file for each of its subsystems: processes, stacks, schedulers, atoms. Knows no flavour.

For the node, unwinders and all that shows something; asks `code`, `records` and `terms`, and no debugger."""
