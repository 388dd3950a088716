/* Breakpoints in functions that have native code. */
#ifndef NATIVE_BREAKPOINTS_H
#define NATIVE_BREAKPOINTS_H

#include "object.h"

/* Let calls of an object's functions from native code go by the interpreter where a function has a breakpoint, and
 * directly where it has none. `header` is where the code of the module's instance begins, `library` what stands in
 * functions that have native code. Gives 0, or what is wrong. */
const char *breakpoints_follow(const struct object *object, const void *header, Word library);

#endif
