#include "harness_ticks.h"

#define PEDAL_SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define PEDAL_SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define PEDAL_SYST_CVR (*(volatile uint32_t *)0xE000E018u)
#define PEDAL_TIMER_MAX 0xFFFFFFu
#define PEDAL_ENABLE_INTERRUPT_CPU_CLOCK 7u

/* A turn of the loop is two instructions. */
#define PEDAL_KNOWN_TURNS 32768u

static volatile uint32_t wraps;
static uint64_t known_ticks = 1;

void pedal_count_wrap(void)
{
    wraps = wraps + 1;
}

uint64_t pedal_ticks(void)
{
    uint32_t before, value;
    do {
        before = wraps;
        value = PEDAL_SYST_CVR;
    } while (before != wraps);
    return ((uint64_t)before << 24) + (PEDAL_TIMER_MAX - value);
}

__attribute__((noinline)) static uint64_t ticks_of_known_loop(void)
{
    const uint64_t start = pedal_ticks();
    uint32_t turns = PEDAL_KNOWN_TURNS;
    __asm__ volatile(".syntax unified\n1:\tsubs %0, #1\n\tbne 1b" : "+l"(turns) : : "cc");
    return pedal_ticks() - start;
}

int pedal_start_ticks(void)
{
    PEDAL_SYST_RVR = PEDAL_TIMER_MAX;
    PEDAL_SYST_CVR = 0;
    PEDAL_SYST_CSR = PEDAL_ENABLE_INTERRUPT_CPU_CLOCK;
    /* The first read may fall into the tick that loads the timer. */
    (void)pedal_ticks();
    known_ticks = ticks_of_known_loop();
    const uint64_t again = ticks_of_known_loop();
    const uint64_t apart = known_ticks > again ? known_ticks - again : again - known_ticks;
    return apart * 10000u <= known_ticks;
}

uint64_t pedal_milli_instructions(uint64_t ticks)
{
    return ticks * (2000u * (uint64_t)PEDAL_KNOWN_TURNS) / known_ticks;
}
