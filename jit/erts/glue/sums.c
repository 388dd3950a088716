#include "sums.h"

#include <string.h>

void add_words(uint32_t sums[2], const unsigned char *data, size_t size)
{
    uint32_t word;

    for (; size >= sizeof word; data += sizeof word, size -= sizeof word) {
        memcpy(&word, data, sizeof word);
        sums[0] += word;
        sums[1] += sums[0];
    }
    if (size) {
        word = 0;
        memcpy(&word, data, size);
        sums[0] += word;
        sums[1] += sums[0];
    }
}
