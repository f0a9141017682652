#include "harness_semihosting.h"

#include <string.h>

enum { SYS_OPEN = 0x01, SYS_CLOSE = 0x02, SYS_WRITE0 = 0x04, SYS_READ = 0x06, SYS_GET_CMDLINE = 0x15, SYS_EXIT_EXTENDED = 0x20 };
enum { OPEN_READ_BINARY = 1 };

/* Reason "application exit": the second word is the exit code. */
#define PEDAL_APPLICATION_EXIT 0x20026u

static int32_t ask(uint32_t operation, const void *arguments)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

int pedal_command_line(char *line, size_t size)
{
    uint32_t block[2] = {(uint32_t)(uintptr_t)line, (uint32_t)size};
    return ask(SYS_GET_CMDLINE, block) == 0;
}

int pedal_open(const char *path)
{
    const uint32_t block[3] = {(uint32_t)(uintptr_t)path, OPEN_READ_BINARY, (uint32_t)strlen(path)};
    return (int)ask(SYS_OPEN, block);
}

size_t pedal_read(int file, void *bytes, size_t size)
{
    const uint32_t block[3] = {(uint32_t)file, (uint32_t)(uintptr_t)bytes, (uint32_t)size};
    /* The answer is the number of bytes that were not read. */
    return size - (size_t)ask(SYS_READ, block);
}

void pedal_close(int file)
{
    const uint32_t block[1] = {(uint32_t)file};
    ask(SYS_CLOSE, block);
}

void pedal_print(const char *text)
{
    ask(SYS_WRITE0, text);
}

void pedal_exit(uint32_t code)
{
    const uint32_t block[2] = {PEDAL_APPLICATION_EXIT, code};
    for (;;) {
        ask(SYS_EXIT_EXTENDED, block);
    }
}
