/*
 * Traces of calls and breakpoints of erts_debug are instructions in place of the bytecode's first one. Who calls a
 * function through bytecode comes upon them; native code calls native code directly.
 *
 * Native code that is called counts a reduction, and branches where none is left: to the interpreter, which begins the
 * function anew, by its bytecode. Where there is a breakpoint, that branch is always taken. So there is a price only
 * while there is one. Of the branch only the condition changes, which is one byte.
 */
#include "breakpoints.h"

#include <sys/mman.h>

/* Which instruction it is at most, from 0, and its upper byte: bmi or b. */
enum { LAST = 2, IF_NONE_LEFT = 0x4a, ALWAYS = 0xea };

/* The upper byte of the branch with which native code of a function begins, or NULL. */
static unsigned char *entry_branch(const struct object *object, const Word *function, Word library)
{
    Word place = function[NATIVE_PLACE] - (Word)object->code;

    if (function[NATIVE_LIBRARY] != library || place >= object->code_size || place % sizeof(uint32_t))
        return NULL;
    for (Word at = place; at <= place + LAST * sizeof(uint32_t) && at < object->code_size; at += sizeof(uint32_t)) {
        unsigned char *upper = (unsigned char *)object->code + at + sizeof(uint32_t) - 1;
        if (*upper == IF_NONE_LEFT || *upper == ALWAYS)
            return upper;
    }
    return NULL;
}

const char *breakpoints_follow(const struct object *object, const void *header, Word library)
{
    const Word *functions = ADDRESS(header, BeamCodeHeader_functions);
    Word count = FIELD(header, BeamCodeHeader_num_functions), changed = 0;

    for (Word i = 0; i < count; i++) {
        unsigned char byte = FIELD(functions[i], ErtsCodeInfo_gen_bp) ? ALWAYS : IF_NONE_LEFT;
        unsigned char *upper = entry_branch(object, (Word *)(functions[i] + vm_layout->size_ErtsCodeInfo), library);
        if (!upper || *upper == byte)
            continue;
        /* Others may be executing it. */
        if (!changed++ && mprotect(object->code, object->code_size, PROT_READ | PROT_WRITE | PROT_EXEC))
            return "calls within it are not traced: its code cannot be written";
        *upper = byte;
    }
    return changed ? object_finish(object) : 0;
}
