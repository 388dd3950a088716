/* What host.c wants of a C library, by system calls of Linux on RISC-V of 32 bits, for which there is no library. */
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { WRITE = 64, EXIT_GROUP = 94, MMAP = 222, MPROTECT = 226 };

static long call(long number, long a, long b, long c, long d, long e, long f)
{
    register long a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c, a3 __asm__("a3") = d;
    register long a4 __asm__("a4") = e, a5 __asm__("a5") = f, a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7) : "memory");
    return a0;
}

int main(void);

__attribute__((naked, noreturn)) void _start(void)
{
    __asm__ volatile("call main\n call exit");
}

FILE *stdout;

int setvbuf(FILE *file, char *buffer, int mode, size_t size)
{
    (void) file, (void) buffer, (void) mode, (void) size;
    return 0;
}

static char line[4096];
static size_t used;

static void flush(void)
{
    call(WRITE, 1, (long) line, used, 0, 0, 0);
    used = 0;
}

int putchar(int c)
{
    line[used++] = c;
    if (c == '\n' || used == sizeof line)
        flush();
    return c;
}

int puts(const char *text)
{
    while (*text)
        putchar(*text++);
    return putchar('\n');
}

static void number(unsigned long long value, unsigned base)
{
    char digits[24];
    size_t count = 0;
    do
        digits[count++] = "0123456789abcdef"[value % base];
    while (value /= base);
    while (count)
        putchar(digits[--count]);
}

/* %s, %lld and %llx are all that there is. */
int printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    for (; *format; format++) {
        if (*format != '%') {
            putchar(*format);
        } else if (*++format == 's') {
            for (const char *text = va_arg(arguments, const char *); *text; text++)
                putchar(*text);
        } else if (!strncmp(format, "lld", 3)) {
            long long value = va_arg(arguments, long long);
            if (value < 0)
                putchar('-');
            number(value < 0 ? -(unsigned long long) value : (unsigned long long) value, 10);
            format += 2;
        } else if (!strncmp(format, "llx", 3)) {
            number(va_arg(arguments, unsigned long long), 16);
            format += 2;
        }
    }
    va_end(arguments);
    return 0;
}

void exit(int status)
{
    flush();
    for (;;)
        call(EXIT_GROUP, status, 0, 0, 0, 0, 0);
}

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    return (void *) call(MMAP, (long) address, size, protection, flags, file, offset);
}

int mprotect(void *address, size_t size, int protection)
{
    return call(MPROTECT, (long) address, size, protection, 0, 0, 0);
}

void __riscv_flush_icache(void *begin, void *end, unsigned long flags)
{
    (void) begin, (void) end, (void) flags;
    __asm__ volatile("fence.i");
}

/* Blocks of powers of two, by their sizes, the exponents of which are in the word before each. */
static void *unused[32];

void *calloc(size_t count, size_t size)
{
    static char *next, *end;
    size_t wanted = count * size + 2 * sizeof(void *);
    unsigned exponent = 5;
    while ((size_t) 1 << exponent < wanted)
        exponent++;
    void **block = unused[exponent];
    if (block) {
        unused[exponent] = block[1];
    } else {
        size_t most = (size_t) 1 << exponent;
        if ((size_t) (end - next) < most) {
            size_t more = most < 1 << 20 ? 1 << 20 : most;
            next = mmap(NULL, more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            end = next + more;
        }
        block = (void **) next;
        next += most;
    }
    block[0] = (void *) (uintptr_t) exponent;
    return memset(block + 2, 0, count * size);
}

void free(void *pointer)
{
    void **block = (void **) pointer - 2;
    uintptr_t exponent = (uintptr_t) block[0];
    block[1] = unused[exponent];
    unused[exponent] = block;
}

#pragma GCC optimize("no-tree-loop-distribute-patterns") /* else these call themselves */

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    for (size_t at = 0; at < count; at++)
        ((char *) to)[at] = ((const char *) from)[at];
    return to;
}

void *memset(void *to, int value, size_t count)
{
    for (size_t at = 0; at < count; at++)
        ((char *) to)[at] = value;
    return to;
}

int strncmp(const char *one, const char *other, size_t most)
{
    while (most && *one && *one == *other)
        one++, other++, most--;
    return most ? (unsigned char) *one - (unsigned char) *other : 0;
}

int strcmp(const char *one, const char *other) { return strncmp(one, other, INT_MAX); }

/* What the compiler has no instructions for. */
unsigned long long __udivmoddi4(unsigned long long value, unsigned long long by, unsigned long long *rest)
{
    unsigned long long result = 0, left = 0;
    for (int bit = 63; bit >= 0; bit--) {
        left = left << 1 | (value >> bit & 1);
        if (left >= by) {
            left -= by;
            result |= 1ULL << bit;
        }
    }
    if (rest)
        *rest = left;
    return result;
}

unsigned long long __udivdi3(unsigned long long value, unsigned long long by) { return __udivmoddi4(value, by, NULL); }

unsigned long long __umoddi3(unsigned long long value, unsigned long long by)
{
    unsigned long long rest;
    __udivmoddi4(value, by, &rest);
    return rest;
}

static unsigned long long size_of(long long value)
{
    return value < 0 ? -(unsigned long long) value : (unsigned long long) value;
}

long long __divdi3(long long value, long long by)
{
    unsigned long long result = __udivdi3(size_of(value), size_of(by));
    return (value < 0) != (by < 0) ? -result : result;
}

long long __moddi3(long long value, long long by)
{
    unsigned long long rest = __umoddi3(size_of(value), size_of(by));
    return value < 0 ? -rest : rest;
}
