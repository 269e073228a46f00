"""Small firmwares of our own, to test the build without the real templates."""

from pathlib import Path

AVR = """\
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <stdint.h>

const uint8_t rnn_model_w[100] PROGMEM = {1, 2, 3};
const uint8_t rnn_table_tanh[32] PROGMEM = {4, 5};
static const uint8_t id[] = {RNN_FIRMWARE_ID};
static uint8_t initialised[10] = {7};
static uint8_t zeroed[20];
static uint8_t kept[5] __attribute__((section(".noinit")));
volatile uint8_t sink;

static void say(uint8_t byte) {
    while (!(UCSR0A & _BV(UDRE0))) {
    }
    UDR0 = byte;
}

int main(void) {
    UBRR0 = 16;
    UCSR0A = _BV(U2X0);
    UCSR0B = _BV(TXEN0);
    for (;;) {
        uint8_t i = sink;
        sink = (uint8_t)(pgm_read_byte(&rnn_model_w[i]) + pgm_read_byte(&rnn_table_tanh[i]));
        sink = (uint8_t)(sink + initialised[i] + zeroed[i] + kept[i]);
        initialised[i] = zeroed[i] = kept[i] = sink;
#ifdef EXTRA
        EXTRA;
#endif
        sink = 0;
        for (i = 0; i < sizeof id; i++) {
            say(id[i]);
        }
    }
}
"""

SAMD21 = """\
#include <stdint.h>

const uint8_t rnn_model_w[100] = {1, 2, 3};
const uint8_t rnn_table_tanh[32] = {4, 5};
static const uint8_t id[] = {RNN_FIRMWARE_ID};
static uint8_t initialised[10] = {7};
static uint8_t zeroed[20];
volatile uint8_t sink;

extern uint32_t stack_top;
int main(void);

__attribute__((section(".vectors"), used)) static const void *const vectors[2] = {
    &stack_top,
    (const void *)main,
};

int main(void) {
    for (;;) {
        uint8_t i = sink;
        sink = (uint8_t)(rnn_model_w[i] + rnn_table_tanh[i] + initialised[i] + zeroed[i] + id[i]);
        initialised[i] = zeroed[i] = sink;
#ifdef EXTRA
        EXTRA;
#endif
    }
}
"""

SAMD21_LD = """\
ENTRY(main)
MEMORY {
    FLASH (rx) : ORIGIN = 0x2000, LENGTH = 256K - 0x2000
    RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 32K
}
stack_top = ORIGIN(RAM) + LENGTH(RAM);
SECTIONS {
    .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) } > FLASH
    .data : { *(.data*) } > RAM AT > FLASH
    .bss (NOLOAD) : { *(.bss*) *(COMMON) } > RAM
}
"""

PROGRAMS = {
    "uno": {"main.c": AVR},
    "mega2560": {"main.c": AVR},
    "mkr1000": {"main.c": SAMD21, "own.ld": SAMD21_LD},
}


def writer(board: str, **extra: str):
    """A `render` for build_tree: the program of `board`, with `before=` put before its C.

    A macro EXTRA in there is a statement that main() runs, with an index `i` at hand.
    """

    def render(destination: Path) -> dict[str, str]:
        for name, text in PROGRAMS[board].items():
            before = extra.get("before", "") if name.endswith(".c") else ""
            (destination / name).write_text(before + text)
        return {}

    return render
