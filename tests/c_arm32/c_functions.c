/* Functions with frames of all kinds. Compiled only: nothing here is ever run. */
#include <stdarg.h>

extern int outside(int, int);
extern double curve(double);
extern int format(char *, const char *, va_list);
extern void fail(const char *) __attribute__((noreturn));
extern int deliver(void *, int, int, int, int, int);

int leaf(int a, int b) { return a * b + 1; }

static __attribute__((noinline)) int hidden(int *words, int count)
{
    int sum = 0;
    for (int i = 0; i < count; i++)
        sum += outside(words[i], sum);
    return sum;
}

/* The frame is made on one of the ways only. */
int shrink_wrapped(int *words, int count)
{
    if (!words)
        return -1;
    if (count > 100)
        fail("too many");
    return hidden(words, count) + hidden(words + 1, count - 1);
}

int tail_call(int a, int b) { return outside(b, a + 1); }

static __attribute__((noinline)) int after_frame(int a) { return outside(a, outside(a, 1)); }

int tail_call_from_frame(int a, int b)
{
    int sum = outside(a, b) + outside(b, a);
    return after_frame(sum);
}

int variadic(char *to, const char *text, ...)
{
    va_list rest;
    va_start(rest, text);
    int length = format(to, text, rest);
    va_end(rest);
    return length;
}

double floats(double *values, int count)
{
    double a = 1, b = 2, c = 3, d = 4;
    for (int i = 0; i < count; i++) {
        a += curve(values[i]);
        b *= curve(a);
        c -= curve(b);
        d /= curve(c);
    }
    return a + b + c + d;
}

int big_frame(int seed)
{
    volatile int words[254];
    for (int i = 0; i < 254; i++)
        words[i] = outside(seed, i);
    return words[seed & 127];
}

/* The size of its frame is known to nobody before it runs. */
int moving_frame(int count)
{
    char *bytes = __builtin_alloca(count);
    for (int i = 0; i < count; i++)
        bytes[i] = outside(i, count);
    return deliver(bytes, count, 1, 2, 3, 4);
}

int dense_switch(int what, int a)
{
    switch (what) {
    case 0: return outside(a, 3) + 1;
    case 1: return outside(3, a) * 2;
    case 2: a = outside(a, a);
    case 3: return deliver(&a, 1, 2, 3, 4, 5);
    case 4: return a;
    case 5: fail("five");
    case 6: return outside(outside(a, 7), 8);
    case 7: return after_frame(a);
    case 8: return outside(9, a) / 3;
    default: return 0;
    }
}

/* As process_main does: from one instruction to the next by computed jumps, and never back. */
void interpreter(void **code, int *registers)
{
    static void *handlers[] = {&&call, &&add, &&move, &&last};
    int kept = outside(1, 2), limit = outside(3, 4), budget = 100;
    if (!code)
        code = handlers;
    goto **code;
call:
    registers[0] = outside(registers[0], kept);
    goto **++code;
add:
    registers[0] += registers[1] + limit;
    if (--budget < 0)
        registers[2] = outside(budget, limit);
    goto **++code;
move:
    registers[kept & 7] = registers[limit & 7];
    goto **++code;
last:
    deliver(registers, kept, limit, budget, 1, 2);
    goto **++code;
}

static __attribute__((noinline, noreturn)) void *thread(void *argument)
{
    int *words = argument;
    hidden(words, words[0]);
    fail("threads do not end");
}

int (*started)(void *(*)(void *), void *);

int start(void *argument) { return started(thread, argument); }
