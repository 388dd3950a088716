#include "functions.h"

#include <string.h>

/* erl_bits_state (erl_bits.h): where a binary is, and its next bit. */
struct bits {
    unsigned char *bytes;
    Word offset;
};

enum { SIZE = 16 };            /* bits that are written */
enum { CHARACTER = 0xE9 };     /* two bytes in UTF-8 */
#define LARGE (0xF0000000ul) /* no small integer */

typedef Word (*One)(Word process, Word);
typedef Word (*Two)(Word process, Word, Word);

static int is_double(ErlNifEnv *env, Word term, double right)
{
    double number;

    return term && enif_get_double(env, term, &number) && number == right;
}

static int arithmetic(ErlNifEnv *env, const char *name, int one, int other, int right)
{
    Two function = (Two)vm_symbol(name);

    return function(FIELD(env, ErlNifEnv_proc), enif_make_int(env, one), enif_make_int(env, other)) ==
           enif_make_int(env, right);
}

/* Of a large integer and 5. */
static int bitwise(ErlNifEnv *env, const char *name, unsigned long right)
{
    Two function = (Two)vm_symbol(name);
    Word result = function(FIELD(env, ErlNifEnv_proc), enif_make_ulong(env, LARGE + 12), enif_make_int(env, 5));
    unsigned long number;

    return result && enif_get_ulong(env, result, &number) && number == right;
}

static int unary_minus(ErlNifEnv *env)
{
    One function = (One)vm_symbol("erts_unary_minus");

    return function(FIELD(env, ErlNifEnv_proc), enif_make_int(env, 5)) == enif_make_int(env, -5);
}

/* bnot N is -N - 1. */
static int bnot(ErlNifEnv *env)
{
    One function = (One)vm_symbol("erts_bnot");
    Two plus = (Two)vm_symbol("erts_mixed_plus");
    Word process = FIELD(env, ErlNifEnv_proc), large = enif_make_ulong(env, LARGE), result = function(process, large);

    return result && plus(process, result, large) == enif_make_int(env, -1);
}

static int mixed_div(ErlNifEnv *env)
{
    Two function = (Two)vm_symbol("erts_mixed_div");

    return is_double(env, function(FIELD(env, ErlNifEnv_proc), enif_make_int(env, 7), enif_make_int(env, 2)), 3.5);
}

static int int_div_rem(ErlNifEnv *env)
{
    int (*divide)(Word, Word, Word, Word *, Word *) =
        (int (*)(Word, Word, Word, Word *, Word *))vm_symbol("erts_int_div_rem");
    Word quotient = 0, rest = 0, large = enif_make_ulong(env, LARGE + 1);

    return divide(FIELD(env, ErlNifEnv_proc), large, enif_make_ulong(env, LARGE), &quotient, &rest) &&
           quotient == enif_make_int(env, 1) && rest == enif_make_int(env, 1);
}

static int to_double(ErlNifEnv *env)
{
    int (*convert)(Word, double *) = (int (*)(Word, double *))vm_symbol("big_to_double");
    double number = 0;

    return convert(enif_make_ulong(env, LARGE), &number) >= 0 && number == LARGE;
}

static int equal(ErlNifEnv *env)
{
    int (*eq)(Word, Word) = (int (*)(Word, Word))vm_symbol("eq");
    Word one = enif_make_tuple1(env, enif_make_int(env, 1)), same = enif_make_tuple1(env, enif_make_int(env, 1));

    return eq(one, same) && !eq(one, enif_make_tuple1(env, enif_make_int(env, 2)));
}

static int compare(ErlNifEnv *env)
{
    int (*cmp)(Word, Word, int, int) = (int (*)(Word, Word, int, int))vm_symbol("erts_cmp_compound");
    Word low = enif_make_tuple1(env, enif_make_int(env, 1)), high = enif_make_tuple1(env, enif_make_int(env, 2));

    return cmp(low, high, 0, 0) < 0 && cmp(high, low, 0, 0) > 0 && cmp(low, low, 0, 0) == 0;
}

static int map_element(ErlNifEnv *env)
{
    Word (*get)(Word, Word) = (Word (*)(Word, Word))vm_symbol("get_map_element");
    ERL_NIF_TERM key = enif_make_atom(env, "key"), map;

    return enif_make_map_put(env, enif_make_new_map(env), key, enif_make_int(env, 1), &map) &&
           get(map, key) == enif_make_int(env, 1) && get(map, enif_make_atom(env, "native")) == 0;
}

static int compare_bits(ErlNifEnv *env)
{
    int (*cmp)(const unsigned char *, Word, const unsigned char *, Word, Word) =
        (int (*)(const unsigned char *, Word, const unsigned char *, Word, Word))vm_symbol("erts_cmp_bits__");
    const unsigned char one[] = {0x12, 0x34}, other[] = {0x12, 0x35};

    (void)env;
    return cmp(one, 0, other, 0, SIZE) < 0 && cmp(other, 0, one, 0, SIZE) > 0 && cmp(one, 3, one, 3, SIZE - 3) == 0;
}

static int is_written(const struct bits *bits, const unsigned char *bytes, int one, int other)
{
    return bytes[0] == one && bytes[1] == other && bytes[2] == 0 && bits->offset == SIZE;
}

static int put_integer(ErlNifEnv *env, const char *name, int one, int other)
{
    int (*put)(struct bits *, Word, Word) = (int (*)(struct bits *, Word, Word))vm_symbol(name);
    unsigned char bytes[8] = {0};
    struct bits bits = {bytes, 0};

    return put(&bits, enif_make_int(env, 0x1234), SIZE) && is_written(&bits, bytes, one, other);
}

static int put_utf8(ErlNifEnv *env)
{
    int (*put)(struct bits *, Word) = (int (*)(struct bits *, Word))vm_symbol("erts_bs_put_utf8");
    unsigned char bytes[8] = {0};
    struct bits bits = {bytes, 0};

    return put(&bits, enif_make_int(env, CHARACTER)) && is_written(&bits, bytes, 0xC3, 0xA9);
}

static int put_utf16(ErlNifEnv *env)
{
    int (*put)(struct bits *, Word, Word) = (int (*)(struct bits *, Word, Word))vm_symbol("erts_bs_put_utf16");
    unsigned char bytes[8] = {0};
    struct bits bits = {bytes, 0};

    return put(&bits, enif_make_int(env, CHARACTER), 0) && is_written(&bits, bytes, 0, CHARACTER);
}

static int put_string(void)
{
    void (*put)(struct bits *, const unsigned char *, Word) =
        (void (*)(struct bits *, const unsigned char *, Word))vm_symbol("erts_bs_put_string");
    const unsigned char text[] = {0x12, 0x34};
    unsigned char bytes[8] = {0};
    struct bits bits = {bytes, 0};

    put(&bits, text, sizeof text);
    return is_written(&bits, bytes, 0x12, 0x34);
}

ERL_NIF_TERM functions_call_nif(ErlNifEnv *env, int argc, const ERL_NIF_TERM arguments[])
{
    Word module = enif_make_atom(env, "native"), name = enif_make_atom(env, "call_nif");

    (void)argc, (void)arguments;
    return enif_make_atom(env, !vm_is_hidden() || vm_is_nif(module, name, 0) ? "true" : "false");
}

ERL_NIF_TERM functions_wrong(ErlNifEnv *env, int argc, const ERL_NIF_TERM arguments[])
{
    ERL_NIF_TERM wrong = enif_make_list(env, 0);

    (void)argc, (void)arguments;
    if (!vm_is_hidden())
        return wrong;
    const struct {
        const char *name;
        int is_right;
    } all[] = {
        {"erts_mixed_plus", arithmetic(env, "erts_mixed_plus", 9, 4, 13)},
        {"erts_mixed_minus", arithmetic(env, "erts_mixed_minus", 9, 4, 5)},
        {"erts_mixed_times", arithmetic(env, "erts_mixed_times", 9, 4, 36)},
        {"erts_band", bitwise(env, "erts_band", 4)},
        {"erts_bor", bitwise(env, "erts_bor", LARGE + 13)},
        {"erts_bxor", bitwise(env, "erts_bxor", LARGE + 9)},
        {"erts_unary_minus", unary_minus(env)},
        {"erts_bnot", bnot(env)},
        {"erts_mixed_div", mixed_div(env)},
        {"erts_int_div_rem", int_div_rem(env)},
        {"big_to_double", to_double(env)},
        {"eq", equal(env)},
        {"erts_cmp_compound", compare(env)},
        {"get_map_element", map_element(env)},
        {"erts_cmp_bits__", compare_bits(env)},
        {"erts_bs_put_integer_be", put_integer(env, "erts_bs_put_integer_be", 0x12, 0x34)},
        {"erts_bs_put_integer_le", put_integer(env, "erts_bs_put_integer_le", 0x34, 0x12)},
        {"erts_bs_put_utf8", put_utf8(env)},
        {"erts_bs_put_utf16", put_utf16(env)},
        {"erts_bs_put_string", put_string()},
    };
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        if (!all[i].is_right)
            wrong = enif_make_list_cell(env, enif_make_atom(env, all[i].name), wrong);
    return wrong;
}
