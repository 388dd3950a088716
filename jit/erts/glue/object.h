/* A native object: the relocatable ELF file that jit/erts/arm32/elf_file.py makes. */
#ifndef NATIVE_OBJECT_H
#define NATIVE_OBJECT_H

#include "vm.h"

#include <stddef.h>

/* Code of one module. `entries` are rows of the object's section ENTRIES_SECTION. */
struct object {
    void *file;  /* a copy of the ELF file, relocated: what GDB reads */
    size_t file_size;
    char *code;  /* where the code is executed */
    size_t code_size;
    uint32_t *entries;
    unsigned entry_count;
};

/* One row: a label of the module's bytecode (patch_entries puts its address there), and offsets into the code: of the
 * two ways in, and of the branch to the bytecode behind that of native callers, 0 if it is no function. */
enum { ENTRY_LABEL, ENTRY_FROM_INTERPRETER, ENTRY_FROM_NATIVE, ENTRY_BRANCH, ENTRY_WORDS };

/* The value of an undefined symbol; *found is cleared if there is none. */
typedef Word (*resolver)(void *context, const char *name, int *found);

/* Copy, map and relocate. Gives 0, or what is wrong. */
const char *object_load(struct object *object, const void *file, size_t size, resolver resolve, void *context);

/* Let code that was written be executed, and not be written. Gives 0, or what is wrong. */
const char *object_finish(const struct object *object);

void object_free(struct object *object);

#endif
