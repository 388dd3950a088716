/* Breakpoints in functions that have native code, and NIFs that take their place. */
#ifndef NATIVE_BREAKPOINTS_H
#define NATIVE_BREAKPOINTS_H

#include "object.h"

/* Let calls of an object's functions from native code go by the bytecode where a breakpoint or a NIF has taken the
 * place of what the glue has written there, `call_nif` and `library`; directly where none has. Gives 0, or what is
 * wrong. */
const char *breakpoints_follow(const struct object *object, Word call_nif, Word library);

#endif
