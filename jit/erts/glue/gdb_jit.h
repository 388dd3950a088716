/* GDB's JIT interface (GDB manual, "JIT Compilation Interface"). */
#ifndef NATIVE_GDB_JIT_H
#define NATIVE_GDB_JIT_H

#include <stddef.h>

/* Tell GDB of an ELF object, which must stay in memory until gdb_unregister. NULL without memory. */
void *gdb_register(const void *object, size_t size);
void gdb_unregister(void *entry);

#endif
