/* From reset to main() on any Cortex-M: vector table, floating-point unit, memory, and an end for every fault.
 *
 * Nothing here belongs to one chip; where memory lies says the linker script. */

#include <stdint.h>
#include <string.h>

#include "harness_semihosting.h"
#include "harness_ticks.h"

#define PEDAL_EXCEPTIONS 16

/* Coprocessor access control: full access to coprocessors 10 and 11, which are the floating-point unit. */
#define PEDAL_CPACR (*(volatile uint32_t *)0xE000ED88u)
#define PEDAL_CPACR_FPU (0xFu << 20)

extern uint32_t pedal_stack_high[], pedal_data_start[], pedal_data_end[], pedal_bss_start[], pedal_bss_end[];
extern const uint32_t pedal_data_load[];

int main(void);
void pedal_start(void);

__attribute__((noreturn)) static void fault(void)
{
    pedal_print("{\"fault\": \"the processor stopped: a bad address or instruction, or no stack left\"}\n");
    pedal_exit(3);
}

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*handlers[PEDAL_EXCEPTIONS - 1])(void);
} vectors = {
    pedal_stack_high,
    {pedal_start, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault,
     pedal_count_wrap},
};

static void enable_fpu(void)
{
#if defined(__ARM_FP)
    PEDAL_CPACR |= PEDAL_CPACR_FPU;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
}

void pedal_start(void)
{
    /* Before any function whose prologue might save a floating-point register. */
    enable_fpu();
    memcpy(pedal_data_start, pedal_data_load, (size_t)((char *)pedal_data_end - (char *)pedal_data_start));
    memset(pedal_bss_start, 0, (size_t)((char *)pedal_bss_end - (char *)pedal_bss_start));
    pedal_exit((uint32_t)main());
}
