"""Functions of known builds of the VM, by which others are seen to access the same fields at the same offsets."""
