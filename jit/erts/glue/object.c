#define _GNU_SOURCE
#include "object.h"

#include <asm/unistd.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct reader {
    struct object *object;
    char *file;
    size_t size;
    Elf32_Ehdr *header;
    Elf32_Shdr *sections;
    const char *names;
    unsigned text;
};

static const char damaged[] = "the native object is damaged";

static int inside(const struct reader *reader, Word offset, Word size)
{
    return offset <= reader->size && size <= reader->size - offset;
}

static const char *read_headers(struct reader *reader)
{
    static const char wanted[] = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, EV_CURRENT};
    Elf32_Ehdr *header = reader->header = (Elf32_Ehdr *)reader->file;

    if (reader->size < sizeof *header || memcmp(header->e_ident, wanted, sizeof wanted) || header->e_type != ET_REL ||
        header->e_machine != EM_ARM || header->e_shentsize != sizeof(Elf32_Shdr) ||
        header->e_shstrndx >= header->e_shnum ||
        !inside(reader, header->e_shoff, header->e_shnum * sizeof(Elf32_Shdr)))
        return damaged;
    reader->sections = (Elf32_Shdr *)(reader->file + header->e_shoff);
    for (unsigned i = 0; i < header->e_shnum; i++)
        if (reader->sections[i].sh_type != SHT_NOBITS &&
            !inside(reader, reader->sections[i].sh_offset, reader->sections[i].sh_size))
            return damaged;
    reader->names = reader->file + reader->sections[header->e_shstrndx].sh_offset;
    return 0;
}

static unsigned section(const struct reader *reader, const char *name)
{
    for (unsigned i = 1; i < reader->header->e_shnum; i++)
        if (strcmp(reader->names + reader->sections[i].sh_name, name) == 0)
            return i;
    return 0;
}

/* Values of all symbols, in memory of their own. */
static const char *symbol_values(struct reader *reader, const Elf32_Shdr *table, Word *values, resolver resolve,
                                 void *context)
{
    const Elf32_Sym *symbols = (const Elf32_Sym *)(reader->file + table->sh_offset);
    const char *strings = reader->file + reader->sections[table->sh_link].sh_offset;

    for (unsigned i = 1; i < table->sh_size / sizeof *symbols; i++) {
        const Elf32_Sym *symbol = &symbols[i];
        int found = 1;
        if (symbol->st_shndx == reader->text)
            values[i] = (Word)reader->object->code + symbol->st_value;
        else if (symbol->st_shndx == SHN_UNDEF)
            values[i] = resolve(context, strings + symbol->st_name, &found);
        if (!found)
            return strings + symbol->st_name;
    }
    return 0;
}

/* Add to the words that one relocation section names. REL: the addend is in the place itself. */
static const char *relocate(struct reader *reader, Elf32_Shdr *relocations, char *target, const Word *values,
                            unsigned symbol_count)
{
    const Elf32_Rel *row = (const Elf32_Rel *)(reader->file + relocations->sh_offset);
    const Elf32_Shdr *section = &reader->sections[relocations->sh_info];

    for (unsigned i = 0; i < relocations->sh_size / sizeof *row; i++, row++) {
        if (ELF32_R_TYPE(row->r_info) != R_ARM_ABS32 || ELF32_R_SYM(row->r_info) >= symbol_count ||
            section->sh_size < sizeof(Word) || row->r_offset > section->sh_size - sizeof(Word))
            return damaged;
        Word word;
        memcpy(&word, target + row->r_offset, sizeof word);
        word += values[ELF32_R_SYM(row->r_info)];
        memcpy(target + row->r_offset, &word, sizeof word);
    }
    return 0;
}

static const char *relocate_all(struct reader *reader, resolver resolve, void *context)
{
    unsigned symtab = section(reader, ".symtab");
    const char *wrong;

    if (!symtab || reader->sections[symtab].sh_link >= reader->header->e_shnum)
        return damaged;
    unsigned count = reader->sections[symtab].sh_size / sizeof(Elf32_Sym);
    Word *values = calloc(count, sizeof *values);
    if (!values)
        return "no memory";
    wrong = symbol_values(reader, &reader->sections[symtab], values, resolve, context);
    for (unsigned i = 1; !wrong && i < reader->header->e_shnum; i++) {
        Elf32_Shdr *rows = &reader->sections[i];
        if (rows->sh_type != SHT_REL)
            continue;
        if (rows->sh_info >= reader->header->e_shnum)
            wrong = damaged;
        else
            wrong = relocate(reader, rows, reader->file + reader->sections[rows->sh_info].sh_offset, values, count);
        rows->sh_type = SHT_NULL; /* done: GDB must not do it again */
    }
    free(values);
    return wrong;
}

/* The code gets pages of its own, which are written before they can be executed; later only for breakpoints. */
static const char *map_code(struct reader *reader)
{
    struct object *object = reader->object;
    Elf32_Shdr *text = &reader->sections[reader->text];
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    object->code_size = (text->sh_size + page - 1) & ~(page - 1);
    object->code = mmap(NULL, object->code_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (object->code == MAP_FAILED) {
        object->code = NULL;
        return "no memory for code";
    }
    text->sh_addr = (Word)object->code;
    return 0;
}

const char *object_finish(const struct object *object)
{
    if (mprotect(object->code, object->code_size, PROT_READ | PROT_EXEC))
        return "the code cannot be made executable";
    /* What __builtin___clear_cache does, whose code of Debian's compiler is for ARMv7. */
    syscall(__ARM_NR_cacheflush, object->code, object->code + object->code_size, 0);
    return 0;
}

static const char *finish_code(struct reader *reader)
{
    const Elf32_Shdr *text = &reader->sections[reader->text];

    memcpy(reader->object->code, reader->file + text->sh_offset, text->sh_size);
    return object_finish(reader->object);
}

/* Whether the processor has all that the code was compiled for. */
static const char *check_processor(const struct reader *reader)
{
    unsigned number = section(reader, PROCESSOR_SECTION);
    uint32_t wanted;

    if (!number || reader->sections[number].sh_size != sizeof wanted)
        return damaged;
    memcpy(&wanted, reader->file + reader->sections[number].sh_offset, sizeof wanted);
    return wanted & ~getauxval(AT_HWCAP) ? "it is compiled for a processor that can do more" : 0;
}

const char *object_load(struct object *object, const void *file, size_t size, resolver resolve, void *context)
{
    struct reader reader = {object, malloc(size), size, NULL, NULL, NULL, 0};
    const char *wrong;
    unsigned entries, identity;

    memset(object, 0, sizeof *object);
    object->file = reader.file;
    object->file_size = size;
    if (!reader.file)
        return "no memory";
    memcpy(reader.file, file, size);
    if ((wrong = read_headers(&reader)))
        return wrong;
    reader.text = section(&reader, ".text");
    entries = section(&reader, ENTRIES_SECTION);
    identity = section(&reader, LAYOUT_SECTION);
    if (!reader.text || !entries || !identity)
        return damaged;
    if (reader.sections[identity].sh_size != strlen(vm_layout->identity) ||
        memcmp(reader.file + reader.sections[identity].sh_offset, vm_layout->identity,
               reader.sections[identity].sh_size))
        return "it is compiled for another release or build";
    if ((wrong = check_processor(&reader)))
        return wrong;
    object->entries = (uint32_t *)(reader.file + reader.sections[entries].sh_offset);
    object->entry_count = reader.sections[entries].sh_size / (ENTRY_WORDS * sizeof *object->entries);
    if ((wrong = map_code(&reader)) || (wrong = relocate_all(&reader, resolve, context)))
        return wrong;
    return finish_code(&reader);
}

void object_free(struct object *object)
{
    if (object->code)
        munmap(object->code, object->code_size);
    free(object->file);
    memset(object, 0, sizeof *object);
}
