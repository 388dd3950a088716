/* A small machine that keeps the contract between AtomVM and native code of format 1: context, JIT state, table of
   labels, primitives. It is of the processor that it is compiled for. Its collector runs whenever native code asks for memory, and moves all that lives.

   image.h has the module: see tests/atomvm/host.py. What a module does not use here is missing: maps, binaries, floats,
   messages. Who calls such a primitive is told so, and the program ends. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef uintptr_t term;
enum { LIST = 1, BOXED = 2, NIL = 0x3B, TUPLE = 0, INTEGER = 0x8, FUN = 0x14 };
enum { REDUCTIONS = 1024, EXTENDED = 64, MODULE = 7, DEAD = 0xDEAD4, SMALL_BITS = 8 * sizeof(term) - 4 };
#define MOVED ((term) 0xEEEEEEEEEEEEEEEE)

typedef struct { void *next; } Root;
typedef struct {
    void *global;
    Root *root;
    term *heap_start, *heap_ptr, *heap_end;
    term *e;
    term x[17];
    term cp;
    void *fr;
    term bs;
    size_t bs_offset;
    term extended[EXTENDED];
    term class, reason;
} Context;
typedef struct { uint32_t *module; uintptr_t continuation; int32_t reductions; } JITState;
#if UINTPTR_MAX == UINT32_MAX
_Static_assert(offsetof(Context, e) == 0x14 && offsetof(Context, x) == 0x18 && offsetof(Context, cp) == 0x5C, "context");
#else
_Static_assert(offsetof(Context, e) == 0x28 && offsetof(Context, x) == 0x30 && offsetof(Context, cp) == 0xB8, "context");
#endif

typedef Context *(*Entry)(Context *, JITState *, const void *const *);

#define FIXED(number) ((number) << 6 | 0xB)
enum {
    FALSE_ = FIXED(0), TRUE_ = FIXED(1), ERROR = FIXED(3), BADARG = FIXED(4), BADARITH = FIXED(5),
    FUNCTION_CLAUSE = FIXED(7), THROW = FIXED(13), EXIT = FIXED(16)
};

typedef struct { const char *function; int arity, label; } Function; /* label 0: of another module */

#include "image.h" /* code[], ATOMS, ATOM_IDS, IMPORTS, EXPORTS, FUNS, LABELS, START, ENTRY, THUMB, BASE */

static Root root;
static uint32_t module = MODULE;
static uint8_t *mapped;
static Context machine;
static int collections, yields;

static void die(const char *what)
{
    printf("the host ends: %s\n", what);
    exit(3);
}

/* Terms. Atoms that are fixed come first in ATOMS, in their order. */

static term small(intptr_t value) { return (term) value << 4 | 0xF; }
static bool is_small(term t) { return (t & 0xF) == 0xF; }
static term *words(term t) { return (term *) (t & ~(term) 3); }
static bool is_boxed(term t, uint32_t tag) { return (t & 3) == BOXED && (words(t)[0] & 0x3F) == tag; }
static bool is_integer(term t) { return is_small(t) || is_boxed(t, INTEGER); }

/* Memory that is never collected, as AtomVM's fragments are until the next collection. */
static term *beside(size_t count) { return calloc(count, sizeof(term)); }

static int64_t integer(term t)
{
    if (is_small(t))
        return (intptr_t) t >> 4;
    uint64_t value = words(t)[1];
    return words(t)[0] >> 6 == 1 ? (intptr_t) value : (int64_t) (value | (uint64_t) words(t)[2] << 32);
}

static term from_integer(int64_t value)
{
    int64_t most = (int64_t) 1 << (SMALL_BITS - 1);
    if (value >= -most && value < most)
        return small(value);
    bool one = value >= INTPTR_MIN && value <= INTPTR_MAX;
    term *new = beside(3);
    new[0] = (one ? 1 : 2) << 6 | INTEGER;
    new[1] = value;
    new[2] = value >> 32;
    return (term) new | BOXED;
}

static term literal_list(term head, term tail)
{
    term *new = beside(2);
    new[0] = tail;
    new[1] = head;
    return (term) new | LIST;
}

static term literal_tuple(size_t size, const term *elements)
{
    term *new = beside(1 + size);
    new[0] = size << 6;
    memcpy(new + 1, elements, size * sizeof(term));
    return (term) new | BOXED;
}

static void print(term t)
{
    if (is_integer(t)) {
        printf("%lld", (long long) integer(t));
    } else if ((t & 0x3F) == 0xB) {
        printf("%s", ATOMS[t >> 6]);
    } else if (t == NIL) {
        printf("[]");
    } else if ((t & 3) == LIST) {
        const char *before = "[";
        for (; (t & 3) == LIST; t = words(t)[0], before = ",") {
            printf("%s", before);
            print(words(t)[1]);
        }
        if (t != NIL) {
            printf("|");
            print(t);
        }
        printf("]");
    } else if (is_boxed(t, TUPLE)) {
        printf("{");
        for (uint32_t at = 1; at <= words(t)[0] >> 6; at++) {
            printf(at > 1 ? "," : "");
            print(words(t)[at]);
        }
        printf("}");
    } else if (is_boxed(t, FUN)) {
        printf("fun");
    } else {
        printf("<%llx>", (long long) t);
        die("a term that is none");
    }
}

#include "literals.h" /* literal(), of literal_list and literal_tuple */

static int order(term t)
{
    return is_integer(t) ? 0 : (t & 0x3F) == 0xB ? 1 : is_boxed(t, FUN) ? 2 : is_boxed(t, TUPLE) ? 3 : t == NIL ? 4 : 5;
}

/* Less than, equal to, or greater than 0. */
static int compare(term a, term b)
{
    if (a == b)
        return 0;
    if (order(a) != order(b))
        return order(a) - order(b);
    switch (order(a)) {
        case 0: return integer(a) < integer(b) ? -1 : integer(a) > integer(b);
        case 1: return strcmp(ATOMS[a >> 6], ATOMS[b >> 6]);
        case 3: {
            uint32_t size = words(a)[0] >> 6;
            if (size != words(b)[0] >> 6)
                return size < words(b)[0] >> 6 ? -1 : 1;
            for (uint32_t at = 1; at <= size; at++) {
                int first = compare(words(a)[at], words(b)[at]);
                if (first)
                    return first;
            }
            return 0;
        }
        case 5: {
            int first = compare(words(a)[1], words(b)[1]);
            return first ? first : compare(words(a)[0], words(b)[0]);
        }
        default: return a < b ? -1 : 1;
    }
}

/* The collector: what lives in the block moves to a new one, at the end of which is the stack. */

static term *from, *from_end, *to;

static term moved(term t)
{
    term *old = words(t);
    if ((t & 3) == 0 || (t & 3) == 3 || old < from || old >= from_end)
        return t;
    size_t count = (t & 3) == LIST ? 2 : 1 + (old[0] >> 6);
    if (old[0] == MOVED)
        die("a term that is not where it was");
    if ((t & 3) == LIST ? old[0] == 0 : (old[0] & 3) != 0)
        return (t & 3) == LIST ? old[1] : old[0]; /* where it is now */
    term new = (term) to | (t & 3);
    memcpy(to, old, count * sizeof(term));
    to += count;
    memset(old, 0xEE, count * sizeof(term));
    if ((t & 3) == LIST) {
        old[0] = 0;
        old[1] = new;
    } else {
        old[0] = new;
    }
    return new;
}

static void collect(Context *ctx, size_t need, size_t live)
{
    collections++;
    size_t count = ctx->heap_end - ctx->e, used = ctx->heap_ptr - ctx->heap_start;
    term *old = ctx->heap_start, *block = calloc(used + count + need + 1, sizeof(term));
    from = old, from_end = ctx->heap_end, to = block;
    for (size_t at = 0; at < live && at <= 16; at++)
        ctx->x[at] = moved(ctx->x[at]);
    for (size_t at = live; at <= 16; at++)
        ctx->x[at] = DEAD;
    for (size_t at = 0; at < EXTENDED; at++)
        ctx->extended[at] = 16 + at < live ? moved(ctx->extended[at]) : DEAD;
    ctx->reason = moved(ctx->reason);
    for (size_t at = 0; at < count; at++)
        ctx->e[at] = moved(ctx->e[at]);
    for (term *at = block; at < to;) { /* what has been moved refers to what has not */
        bool is_tuple = (*at & 0x3F) == TUPLE;
        if (is_tuple || (*at & 0x3F) == FUN) {
            size_t size = 1 + (*at >> 6);
            for (size_t word = is_tuple ? 1 : 3; word < size; word++)
                at[word] = moved(at[word]);
            at += size;
        } else {
            *at = moved(*at);
            at++;
        }
    }
    /* No more room than is asked for: the next who wants some comes here again. */
    term *e = to + need;
    memcpy(e, ctx->e, count * sizeof(term));
    memset(old, 0xEE, (ctx->heap_end - old) * sizeof(term));
    free(old);
    ctx->heap_start = block;
    ctx->heap_ptr = to;
    ctx->e = e;
    ctx->heap_end = e + count;
}

/* In room that has been asked for. */
static term pair(Context *ctx, term one, term other)
{
    term *new = ctx->heap_ptr;
    ctx->heap_ptr += 3;
    new[0] = 2 << 6;
    new[1] = one;
    new[2] = other;
    return (term) new | BOXED;
}

/* Primitives. Where the C ABI says nothing of the rest of the register that has a bool or an int, that is filled: on
   RISC-V it is the sign. */

#if UINTPTR_MAX > UINT32_MAX && !defined __riscv
static term narrow(uint32_t value, term mask) { return (value & mask) | ((term) 0xABABABABABABABAB & ~mask); }
#else
static term narrow(uint32_t value, term mask) { (void) mask; return (intptr_t) (int32_t) value; }
#endif
static term as_bool(bool value) { return narrow(value, 0xFF); }
static term as_int(int value) { return narrow(value, 0xFFFFFFFF); }

static Context *do_return(Context *ctx, JITState *js)
{
    if (ctx->cp >> 24 != MODULE)
        die("a return to another module");
    js->continuation = ((uintptr_t) mapped + ((ctx->cp & 0xFFFFFF) >> 2)) | THUMB;
    return ctx;
}

static uintptr_t entry(uint32_t label) { return ((uintptr_t) mapped + ENTRY * label) | THUMB; }

static Context *terminate_context(Context *ctx, JITState *js)
{
    (void) js;
    (void) ctx;
    printf("ended after %s collections and %s turns\n", collections > 100 ? "many" : "few", yields > 2 ? "many" : "few");
    exit(0);
}

/* Whether the tables behind the code tell where a label is, as AtomVM wants to know of handlers for stack traces. */
static bool is_told(uint32_t label)
{
    const uint8_t *table = (const uint8_t *) ((Entry) entry(0))(NULL, NULL, NULL);
    for (uint32_t at = 2, count = table[0] << 8 | table[1]; count; count--, at += 6)
        if ((uint32_t) (table[at] << 8 | table[at + 1]) == label)
            return true;
    return false;
}

static Context *handle_error(Context *ctx, JITState *js, int offset)
{
    (void) offset;
    ctx->x[0] = ctx->class;
    ctx->x[1] = ctx->reason;
    ctx->x[2] = NIL;
    ctx->reason = NIL;
    term *frame = ctx->e;
    for (term *at = ctx->e; at < ctx->heap_end; at++) {
        if ((*at & 3) == 0) {
            frame = at + 1;
        } else if ((*at & 0x3F) == 0x1B) {
            if (*at >> 24 != MODULE)
                die("a handler of another module");
            if (!is_told(*at >> 6 & 0x3FFFF))
                die("a handler whose place is not told");
            ctx->e = frame;
            js->continuation = entry(*at >> 6 & 0x3FFFF);
            return ctx;
        }
    }
    printf("not caught: ");
    print(ctx->x[0]);
    printf(" ");
    print(ctx->x[1]);
    printf("\n");
    exit(1);
}

static void set_error(Context *ctx, term class, term reason)
{
    ctx->class = class;
    ctx->reason = reason;
}

static Context *raise_error(Context *ctx, JITState *js, int offset, term reason)
{
    if (offset <= 0 || (size_t) offset >= sizeof code)
        die("an error at no offset of the code");
    set_error(ctx, ERROR, reason);
    return handle_error(ctx, js, offset);
}

static Context *raise_error_tuple(Context *ctx, JITState *js, int offset, term tag, term value)
{
    ctx->reason = value;
    collect(ctx, 3, 0);
    return raise_error(ctx, js, offset, pair(ctx, tag, ctx->reason));
}

static Context *raise_error_mfa(Context *ctx, JITState *js, int offset, int function, int arity)
{
    if (function <= 0 || arity < 0)
        die("no function");
    return raise_error(ctx, js, offset, FUNCTION_CLAUSE);
}

static Context *raise_(Context *ctx, JITState *js, term trace, term value)
{
    (void) trace;
    set_error(ctx, ERROR, value);
    return handle_error(ctx, js, 0);
}

static Context *raw_raise(Context *ctx, JITState *js)
{
    set_error(ctx, ctx->x[0], ctx->x[1]);
    return handle_error(ctx, js, 0);
}

static Context *schedule_next_cp(Context *ctx, JITState *js)
{
    yields++;
    js->reductions = 0;
    return ctx;
}

static term atom(JITState *js, int id)
{
    (void) js;
    return FIXED(ATOM_IDS[id]);
}

static term allocate(Context *ctx, JITState *js, uint32_t stack, uint32_t heap, uint32_t live)
{
    (void) js;
    collect(ctx, stack + 1 + heap, live);
    ctx->e -= stack + 1;
    ctx->e[stack] = ctx->cp;
    for (uint32_t at = 0; at < stack; at++)
        ctx->e[at] = NIL;
    return as_bool(true);
}

static term test_heap(Context *ctx, JITState *js, uint32_t need, uint32_t live)
{
    (void) js;
    collect(ctx, need, live);
    return as_bool(true);
}

static term ensure(Context *ctx, JITState *js, int need, int live, int flags)
{
    (void) flags;
    return test_heap(ctx, js, need, live);
}

static term deallocate(Context *ctx, JITState *js, uint32_t count)
{
    (void) js;
    ctx->cp = ctx->e[count];
    ctx->e += count + 1;
    return as_bool(true);
}

static void trim_live_regs(Context *ctx, uint32_t live) { (void) ctx, (void) live; }

static term term_compare(Context *ctx, JITState *js, term a, term b, int options)
{
    (void) ctx, (void) js, (void) options;
    int result = compare(a, b);
    return as_int(result < 0 ? 2 : result > 0 ? 4 : 1);
}

static term load_literal(Context *ctx, JITState *js, int index)
{
    (void) ctx, (void) js;
    return literal(index);
}

static term boxed_integer(Context *ctx, int64_t value)
{
    (void) ctx;
    return from_integer(value);
}

static term *extended(Context *ctx, uint32_t number) { return &ctx->extended[number - 16]; }

static term alloc_fun(Context *ctx, JITState *js, uint32_t index, uint32_t free)
{
    term *new = ctx->heap_ptr;
    ctx->heap_ptr += 3 + free;
    new[0] = (2 + free) << 6 | FUN;
    new[1] = (term) js->module;
    new[2] = small(index);
    return (term) new | BOXED;
}

static int arity(term fun)
{
    const int *row = FUNS[integer(words(fun)[2])];
    return row[1] - row[2];
}

static Context *call_fun(Context *ctx, JITState *js, int offset, term fun, uint32_t count)
{
    const int *row = FUNS[integer(words(fun)[2])]; /* label, arity with free variables, free variables */
    if (count != (uint32_t) arity(fun))
        return raise_error(ctx, js, offset, BADARG);
    for (int at = 0; at < row[2]; at++) {
        uint32_t number = count + at;
        *(number < 16 ? &ctx->x[number] : extended(ctx, number)) = words(fun)[3 + at];
    }
    js->continuation = entry(row[0]);
    return ctx;
}

static term fun_arity(void *from, uint32_t index)
{
    (void) from;
    return as_int(FUNS[index][1] - FUNS[index][2]);
}

static term catch_end(Context *ctx, JITState *js)
{
    (void) js;
    if (ctx->x[0] == THROW) {
        ctx->x[0] = ctx->x[1];
    } else if (ctx->x[0] == ERROR || ctx->x[0] == EXIT) {
        collect(ctx, 3, 2);
        ctx->x[0] = pair(ctx, ctx->x[0], ctx->x[1]);
    }
    return as_bool(true);
}

static term stacktrace(Context *ctx)
{
    (void) ctx;
    return NIL;
}

/* Functions that modules import. What a guard asks fails without an error where there is a label to fail to. */

static term wrong(Context *ctx, uint32_t fail, term reason)
{
    if (!fail)
        set_error(ctx, ERROR, reason);
    return 0;
}

static term truth(bool value) { return value ? TRUE_ : FALSE_; }

static term arithmetic(Context *ctx, uint32_t fail, const char *name, term a, term b)
{
    if (!is_integer(a) || !is_integer(b))
        return wrong(ctx, fail, BADARITH);
    int64_t one = integer(a), two = integer(b);
    switch (name[0]) {
        case '+': return from_integer(one + two);
        case '-': return from_integer(one - two);
        case '*': return from_integer(one * two);
        case 'd': return two ? from_integer(one / two) : wrong(ctx, fail, BADARITH);
        case 'r': return two ? from_integer(one % two) : wrong(ctx, fail, BADARITH);
    }
    if (!strcmp(name, "band"))
        return from_integer(one & two);
    if (!strcmp(name, "bor"))
        return from_integer(one | two);
    if (!strcmp(name, "bxor"))
        return from_integer(one ^ two);
    return from_integer(!strcmp(name, "bsl") ? one << two : one >> two);
}

/* The function that a bif is to be: get_imported_bif comes right before its call. */
static const char *called;
static int called_arity;

static term bif2(Context *ctx, uint32_t fail, term a, term b)
{
    const char *n = called;
    if (!strcmp(n, "element")) {
        if (!is_small(a) || !is_boxed(b, TUPLE) || integer(a) < 1 || integer(a) > (int64_t) (words(b)[0] >> 6))
            return wrong(ctx, fail, BADARG);
        return words(b)[integer(a)];
    }
    if (!strcmp(n, "is_function"))
        return truth(is_boxed(a, FUN) && arity(a) == integer(b));
    int c = compare(a, b);
    if (!strcmp(n, "=:=") || !strcmp(n, "=="))
        return truth(c == 0);
    if (!strcmp(n, "=/=") || !strcmp(n, "/="))
        return truth(c != 0);
    if (!strcmp(n, "<"))
        return truth(c < 0);
    if (!strcmp(n, ">"))
        return truth(c > 0);
    if (!strcmp(n, ">=") || !strcmp(n, "=<"))
        return truth(n[0] == '>' ? c >= 0 : c <= 0);
    if (!strcmp(n, "and") || !strcmp(n, "or"))
        return truth(n[0] == 'a' ? a == TRUE_ && b == TRUE_ : a == TRUE_ || b == TRUE_);
    die(n);
    return 0;
}

static term bif1(Context *ctx, uint32_t fail, term a)
{
    const char *n = called;
    if (!strcmp(n, "hd") || !strcmp(n, "tl"))
        return (a & 3) == LIST ? words(a)[n[0] == 'h'] : wrong(ctx, fail, BADARG);
    if (!strcmp(n, "tuple_size"))
        return is_boxed(a, TUPLE) ? small(words(a)[0] >> 6) : wrong(ctx, fail, BADARG);
    if (!strcmp(n, "not"))
        return truth(a == FALSE_);
    if (!strcmp(n, "is_integer"))
        return truth(is_integer(a));
    if (!strcmp(n, "is_atom"))
        return truth((a & 0x3F) == 0xB);
    if (!strcmp(n, "is_list"))
        return truth(a == NIL || (a & 3) == LIST);
    if (!strcmp(n, "is_tuple"))
        return truth(is_boxed(a, TUPLE));
    if (!strcmp(n, "is_function"))
        return truth(is_boxed(a, FUN));
    die(n);
    return 0;
}

/* Before it gives a result, a bif that may collect does so: its arguments are no roots then. */
static term gc_bif(Context *ctx, uint32_t fail, uint32_t live, term a, term b)
{
    const char *n = called;
    term result;
    if (!strcmp(n, "length")) {
        int count = 0;
        for (; (a & 3) == LIST; a = words(a)[0])
            count++;
        result = a == NIL ? small(count) : wrong(ctx, fail, BADARG);
    } else if (!strcmp(n, "tuple_size")) {
        return bif1(ctx, fail, a);
    } else if (!strcmp(n, "-") && called_arity == 1) {
        result = arithmetic(ctx, fail, n, small(0), a);
    } else if (!strcmp(n, "bnot")) {
        result = is_integer(a) ? from_integer(~integer(a)) : wrong(ctx, fail, BADARITH);
    } else {
        result = arithmetic(ctx, fail, n, a, b);
    }
    if (result)
        collect(ctx, 0, live);
    return result;
}

static bool is_gc(const char *name)
{
    static const char *const all[] = {"+", "-", "*", "div", "rem", "band", "bor", "bxor", "bsl", "bsr", "length", "bnot"};
    for (size_t at = 0; at < sizeof all / sizeof *all; at++)
        if (!strcmp(name, all[at]))
            return true;
    return false;
}

static void *get_imported_bif(JITState *js, uint32_t index)
{
    (void) js;
    called = IMPORTS[index].function;
    called_arity = IMPORTS[index].arity;
    if (is_gc(called))
        return (void *) gc_bif;
    return called_arity == 1 ? (void *) bif1 : (void *) bif2;
}

static Context *call_ext(Context *ctx, JITState *js, int offset, int arity, int index, int n_words)
{
    const Function *callee = &IMPORTS[index];
    const char *n = callee->function;
    if (arity != callee->arity || offset <= 0)
        die("a call that is wrong");
    term raised = !strcmp(n, "error") ? ERROR : !strcmp(n, "throw") ? THROW : !strcmp(n, "exit") ? EXIT : 0;
    if (!callee->label && raised) {
        set_error(ctx, raised, ctx->x[0]);
        return handle_error(ctx, js, offset);
    }
    if (n_words >= 0)
        deallocate(ctx, js, n_words);
    if (callee->label) {
        js->continuation = entry(callee->label);
        return ctx;
    }
    if (!strcmp(n, "display")) {
        print(ctx->x[0]);
        printf("\n");
        ctx->x[0] = TRUE_;
    } else if (!strcmp(n, "setelement")) {
        size_t size = 1 + (words(ctx->x[1])[0] >> 6);
        collect(ctx, size, 3);
        term *new = ctx->heap_ptr;
        ctx->heap_ptr += size;
        memcpy(new, words(ctx->x[1]), size * sizeof(term));
        new[integer(ctx->x[0])] = ctx->x[2];
        ctx->x[0] = (term) new | BOXED;
    } else {
        die(n);
    }
    return do_return(ctx, js);
}

static Context *apply(Context *ctx, JITState *js, int offset, term in, term function, uint32_t arity)
{
    (void) in, (void) offset;
    for (size_t at = 0; at < sizeof EXPORTS / sizeof *EXPORTS; at++) {
        if (!strcmp(EXPORTS[at].function, ATOMS[function >> 6]) && EXPORTS[at].arity == (int) arity) {
            js->continuation = entry(EXPORTS[at].label);
            return ctx;
        }
    }
    die("a function that is not exported");
    return ctx;
}

static void missing(void) { die("a primitive that is missing here"); }

static const void *primitives[77];

static void __attribute__((noinline)) map_code(void)
{
    mapped = mmap((void *) BASE, sizeof code, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if ((uintptr_t) mapped != BASE)
        die("the code is not where it was to be");
    memcpy(mapped, code, sizeof code);
    mprotect(mapped, sizeof code, PROT_READ | PROT_EXEC);
    __builtin___clear_cache((char *) mapped, (char *) mapped + sizeof code);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t at = 0; at < 77; at++)
        primitives[at] = (void *) missing;
    primitives[0] = raise_error, primitives[1] = do_return, primitives[2] = schedule_next_cp, primitives[3] = atom;
    primitives[4] = call_ext, primitives[5] = allocate, primitives[6] = handle_error, primitives[7] = trim_live_regs;
    primitives[8] = get_imported_bif, primitives[9] = deallocate, primitives[10] = terminate_context;
    primitives[11] = term_compare, primitives[12] = test_heap, primitives[14] = load_literal;
    primitives[15] = boxed_integer, primitives[18] = extended, primitives[19] = raise_error_tuple;
    primitives[20] = alloc_fun, primitives[28] = raise_, primitives[32] = call_fun, primitives[43] = catch_end;
    primitives[44] = ensure, primitives[60] = apply, primitives[65] = fun_arity, primitives[71] = stacktrace;
    primitives[75] = raw_raise, primitives[76] = raise_error_mfa;

    map_code();
    Context *ctx = &machine;
    ctx->root = &root;
    ctx->heap_start = ctx->heap_ptr = calloc(1, sizeof(term));
    ctx->heap_end = ctx->e = ctx->heap_start;
    for (size_t at = 0; at <= 16; at++)
        ctx->x[at] = NIL;
    ctx->cp = MODULE << 24 | LABELS * ENTRY << 2;
    ctx->reason = NIL;
    JITState js = {&module, entry(START), REDUCTIONS};
    for (;;) {
        if (!js.reductions)
            js.reductions = REDUCTIONS;
        if (((Entry) js.continuation)(ctx, &js, primitives) != ctx)
            die("another context");
    }
}
