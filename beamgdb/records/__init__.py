"""C data of the VM in target memory: structures, by their layout, and static variables, which no symbol names.

For whoever reads the VM's own data: `code`, `vm` and what is above them."""
