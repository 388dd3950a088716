/*
 * Traces of calls and breakpoints of erts_debug are instructions in place of the bytecode's first one, and so is the
 * call of a NIF. Who calls a function through bytecode comes upon them; native code calls native code directly.
 *
 * Native code that is called counts a reduction, and branches where none is left: to the interpreter, which begins the
 * function anew, by its bytecode. Where there is a breakpoint, that branch is always taken. So there is a price only
 * while there is one. Of the branch only the condition changes, which is one byte.
 */
#include "breakpoints.h"

#include <sys/mman.h>

/* The upper byte of the branch: bmi or b. */
enum { IF_NONE_LEFT = 0x4a, ALWAYS = 0xea };

static unsigned char condition(const Word *code, Word call_nif, Word library)
{
    int own = code[0] == call_nif && code[NATIVE_LIBRARY] == library;

    return own && !FIELD(vm_info(code), ErtsCodeInfo_gen_bp) ? IF_NONE_LEFT : ALWAYS;
}

const char *breakpoints_follow(const struct object *object, Word call_nif, Word library)
{
    const uint32_t *row = object->entries;
    unsigned changed = 0;

    for (unsigned i = 0; i < object->entry_count; i++, row += ENTRY_WORDS) {
        unsigned char *upper = (unsigned char *)object->code + row[ENTRY_BRANCH] + sizeof(uint32_t) - 1;
        if (!row[ENTRY_BRANCH] || *upper == condition((const Word *)row[ENTRY_LABEL], call_nif, library))
            continue;
        /* Others may be executing it. */
        if (!changed++ && mprotect(object->code, object->code_size, PROT_READ | PROT_WRITE | PROT_EXEC))
            return "calls within it are not traced, nor replaced by NIFs: its code cannot be written";
        *upper ^= IF_NONE_LEFT ^ ALWAYS;
    }
    return changed ? object_finish(object) : 0;
}
