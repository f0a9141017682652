/* What a program without an operating system asks of its emulator or debug probe: files, text, an exit code.
 *
 * Source: Arm, "Semihosting for AArch32 and AArch64". */

#ifndef PEDAL_HARNESS_SEMIHOSTING_H
#define PEDAL_HARNESS_SEMIHOSTING_H

#include <stddef.h>
#include <stdint.h>

/* The command line, as one string; false when there is none or it is longer than size - 1. */
int pedal_command_line(char *line, size_t size);

/* A host file to be read; negative when it cannot be opened. */
int pedal_open(const char *path);

/* Up to size bytes; how many were read. */
size_t pedal_read(int file, void *bytes, size_t size);

void pedal_close(int file);

void pedal_print(const char *text);

__attribute__((noreturn)) void pedal_exit(uint32_t code);

#endif
