/* Runs code of one macro operation after the other on the same registers, and tells what these are afterwards, and the
   words of memory. cases.h has the code, and where that of each case begins. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "cases.h" /* code[], CASES[], REGISTERS */

/* Registers r0 to r8, and where code goes at its end: it takes that from the stack. */
void __attribute__((naked, noinline, target("arm"))) run(uint32_t *registers, uintptr_t begin)
{
    __asm__ volatile("push {r4-r11, lr}\n"
                     "mov r12, r1\n"
                     "adr r1, 1f\n"
                     "push {r0, r1}\n"
                     "ldr r1, [sp, #4]\n"
                     "str r0, [sp, #4]\n"
                     "str r1, [sp]\n"
                     "ldm r0, {r0-r8}\n"
                     "bx r12\n"
                     "1: pop {r12}\n"
                     "stm r12, {r0-r8}\n"
                     "pop {r4-r11, pc}\n");
}

static uint32_t memory[256];

int main(void)
{
    uint8_t *mapped = mmap(0, sizeof code, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(mapped, code, sizeof code);
    __builtin___clear_cache((char *) mapped, (char *) mapped + sizeof code);
    for (size_t at = 0; at < sizeof CASES / sizeof *CASES; at++) {
        uint32_t registers[] = {REGISTERS};
        for (size_t word = 0; word < 256; word++)
            memory[word] = 0x1000 + word;
        for (size_t number = 0; number < 9; number++)
            if (registers[number] == BASE)
                registers[number] = (uint32_t) memory;
        run(registers, (uintptr_t) mapped + CASES[at] + 1);
        for (size_t number = 0; number < 9; number++)
            printf("%x ", registers[number] == (uint32_t) memory ? BASE : registers[number]);
        for (size_t word = 0; word < 256; word++)
            if (memory[word] != 0x1000 + word)
                printf("%zu:%x ", word, memory[word] == (uint32_t) memory ? BASE : memory[word]);
        printf("\n");
    }
}
