/* The same as of holding_nif.c, of a module that is unloaded. */
#define MODULE unloaded
#include "holding_nif.c"
