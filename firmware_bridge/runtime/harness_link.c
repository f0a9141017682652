/* A board that speaks the link over a UART, for the emulated machine mps2-an500 (Cortex-M7): what a port to a real board looks
 * like. Flash is simulated in memory that survives a reset. Light 7 is wired to footswitch 7, so that events can be tried.
 */
#include <string.h>

#include "harness_stack.h"
#include "harness_ticks.h"
#include "pedal_link.h"

/* CMSDK APB UART. Source: Arm, "Cortex-M System Design Kit Technical Reference Manual". */
#define UART_DATA (*(volatile uint32_t *)0x40004000u)
#define UART_STATE (*(volatile uint32_t *)0x40004004u)
#define UART_CONTROL (*(volatile uint32_t *)0x40004008u)
#define UART_DIVIDER (*(volatile uint32_t *)0x40004010u)
#define UART_CAN_SEND(state) (((state) & 1u) == 0)
#define UART_HAS_BYTE(state) (((state) & 2u) != 0)

/* Application interrupt and reset control: the key, and SYSRESETREQ. */
#define AIRCR (*(volatile uint32_t *)0xE000ED0Cu)
#define AIRCR_RESET 0x05FA0004u

#define PSRAM ((uint8_t *)0x60000000u)

enum { PAGE = 4096, UNIT = 32, LIGHTS = 8, WIRED = 7, CLOCK_HZ = 25000000 };

static pedal_link board_link;
static const uint32_t *stack_top;

static int erase(void *context, size_t offset, size_t size)
{
    (void)context;
    memset(PSRAM + offset, 0xFF, size);
    return 1;
}

static int program(void *context, size_t offset, const uint8_t *bytes, size_t size)
{
    (void)context;
    for (size_t i = 0; i < size; i++)
        PSRAM[offset + i] &= bytes[i];
    return 1;
}

static void write_uart(void *context, const uint8_t *bytes, size_t size)
{
    (void)context;
    for (size_t i = 0; i < size; i++) {
        while (!UART_CAN_SEND(UART_STATE)) {
        }
        UART_DATA = bytes[i];
    }
}

static uint32_t count_instructions(void *context)
{
    (void)context;
    return (uint32_t)(pedal_milli_instructions(pedal_ticks()) / 1000u);
}

static void restart(void *context)
{
    (void)context;
    __asm__ volatile("dsb" ::: "memory");
    AIRCR = AIRCR_RESET;
    for (;;) {
    }
}

static void measure_stack(void *context, uint32_t *used_bytes, uint32_t *free_bytes)
{
    extern uint32_t pedal_stack_low[], pedal_stack_high[];
    (void)context;
    *used_bytes = pedal_stack_bytes(stack_top);
    *free_bytes = (uint32_t)((uintptr_t)pedal_stack_high - (uintptr_t)pedal_stack_low) - *used_bytes;
}

static int set_light(void *context, unsigned index, int on)
{
    (void)context;
    if (index == WIRED)
        pedal_link_footswitch(&board_link, WIRED, on);
    return index < LIGHTS;
}

static int set_text(void *context, unsigned line, const char *text)
{
    (void)context;
    (void)text;
    return line < PEDAL_LINK_TEXT_LINES;
}

int main(void)
{
    const pedal_link_board board = {.name = "mps2-an500", .firmware = "neuralpedal", .clock_hz = CLOCK_HZ,
                                    .counter = PEDAL_LINK_COUNTER_INSTRUCTIONS, .write = write_uart,
                                    .time = count_instructions, .restart = restart, .stack = measure_stack,
                                    .light = set_light, .text = set_text};
    const pedal_flash flash = {.bytes = PSRAM, .page_bytes = PAGE, .unit_bytes = UNIT,
                               .slot_bytes = PEDAL_PLAYER_SLOT_BYTES, .erase = erase, .program = program};
    UART_DIVIDER = 16;
    UART_CONTROL = 3;
    stack_top = pedal_stack_pointer();
    pedal_paint_stack();
    (void)pedal_start_ticks();
    pedal_link_init(&board_link, &board, &flash);
    for (;;)
        if (UART_HAS_BYTE(UART_STATE))
            pedal_link_receive(&board_link, (uint8_t)UART_DATA);
}
