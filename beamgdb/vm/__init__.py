"""The model of a running VM: questions about atoms, code, processes and stacks, asked of target memory. No gdb here."""
