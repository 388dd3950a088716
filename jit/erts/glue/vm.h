/* What the glue asks the VM: functions, and fields of its structures by the layout of the running release. */
#ifndef NATIVE_VM_H
#define NATIVE_VM_H

#include <erl_nif.h>
#include <stdint.h>

#include "layouts.h" /* made by jit/erts/glue.py from the tables in jit/otp/layouts */

typedef uintptr_t Word;

extern const struct layout *vm_layout;

/* A field of a word, by the name it has in jit/otp/layouts/wanted.py with _ for each dot. */
#define FIELD(base, name) (*(Word *)((char *)(base) + vm_layout->offset[name]))
#define ADDRESS(base, name) ((Word *)((char *)(base) + vm_layout->offset[name]))

/* The address of a function or object of beam.smp, or 0. */
Word vm_symbol(const char *name);

/* Whether the VM exports none of what is its own: then all is where analysis of its program has found it. */
int vm_is_hidden(void);

/* The address of an interpreter instruction's handler, such as call_nif_WWW, or 0. */
Word vm_handler(const char *name);

/* Find the layout of this VM and try it on the calling process. Gives 0, or what is wrong. */
const char *vm_check(ErlNifEnv *env);

/* Whether the code of a function in a module begins with the handler of call_nif. */
int vm_is_nif(Word module, Word name, Word arity);

/* The entry of the module table, or NULL. */
void *vm_module(Word name);

/* The export entry of a function, made if need be. */
Word vm_export(Word module, Word function, Word arity);

/* The code that a call through an export entry runs now. */
Word *vm_code(Word export);

/* The ErtsCodeInfo of a function, which stands before its code. */
Word vm_info(const Word *code);

#endif
