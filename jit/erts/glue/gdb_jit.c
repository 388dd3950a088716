#include "gdb_jit.h"

#include <stdint.h>
#include <stdlib.h>

enum { JIT_NOACTION, JIT_REGISTER_FN, JIT_UNREGISTER_FN };

struct jit_code_entry {
    struct jit_code_entry *next, *prev;
    const void *symfile_addr;
    uint64_t symfile_size;
};

struct jit_descriptor {
    uint32_t version;
    uint32_t action_flag;
    struct jit_code_entry *relevant_entry;
    struct jit_code_entry *first_entry;
};

/* GDB takes these names from any object file. They are this library's own: the interpreter has none. */
__attribute__((visibility("default"))) struct jit_descriptor __jit_debug_descriptor = {1, JIT_NOACTION, NULL, NULL};

__attribute__((visibility("default"), noinline)) void __jit_debug_register_code(void)
{
    __asm__ volatile("" ::: "memory"); /* so that the compiler drops neither the call nor the stores before it */
}

static void announce(uint32_t action, struct jit_code_entry *entry)
{
    __jit_debug_descriptor.relevant_entry = entry;
    __jit_debug_descriptor.action_flag = action;
    __jit_debug_register_code();
    __jit_debug_descriptor.action_flag = JIT_NOACTION;
    __jit_debug_descriptor.relevant_entry = NULL;
}

void *gdb_register(const void *object, size_t size)
{
    struct jit_code_entry *entry = calloc(1, sizeof *entry);

    if (!entry)
        return NULL;
    entry->symfile_addr = object;
    entry->symfile_size = size;
    entry->next = __jit_debug_descriptor.first_entry;
    if (entry->next)
        entry->next->prev = entry;
    __jit_debug_descriptor.first_entry = entry;
    announce(JIT_REGISTER_FN, entry);
    return entry;
}

void gdb_unregister(void *old)
{
    struct jit_code_entry *entry = old;

    if (entry->prev)
        entry->prev->next = entry->next;
    else
        __jit_debug_descriptor.first_entry = entry->next;
    if (entry->next)
        entry->next->prev = entry->prev;
    announce(JIT_UNREGISTER_FN, entry);
    free(entry);
}
