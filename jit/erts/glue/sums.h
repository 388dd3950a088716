#ifndef NATIVE_SUMS_H
#define NATIVE_SUMS_H

#include <stddef.h>
#include <stdint.h>

/* Sums of words, the last one filled up with zeros, and of these sums (jit/erts/checksum.py). */
void add_words(uint32_t sums[2], const unsigned char *data, size_t size);

#endif
