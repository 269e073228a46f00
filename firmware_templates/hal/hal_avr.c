/* SPDX-License-Identifier: MIT
 *
 * hal_avr.c -- ATmega328P and ATmega2560 without the Arduino core: USART0, Timer0..2 as a cycle
 * counter. The registers used here have the same names and meaning in both.
 * Ref: Microchip ATmega48A/PA/88A/PA/168A/PA/328/P data sheet, DS40002061;
 *      ATmega640/V-1280/V-1281/V-2560/V-2561/V data sheet, DS40002211.
 *
 * Counter (timer 1). Exact for stretches of up to 22,020,096 cycles, 1.376 s at 16 MHz, with
 * interrupts off throughout:
 *   Timer1 counts clk/1:                    t mod 2^16
 *   Timer2 counts clk/1024, period 256:     floor(t / 1024) mod 256
 *   Timer0 counts clk/1024, period 253:     floor(t / 1024) mod 253  (CTC, OCR0A = 252)
 * With t = 65536 k + low and k = 4 m + j, Timer2 less low/1024 gives j as the nearest multiple of
 * 64, and Timer0 less low/1024 and 64 j gives 256 m mod 253 = 3 m, as a vernier. Both are rounded,
 * so the few cycles by which the timers start and are read apart, up to 1 tick, do not matter.
 * Longer stretches would be reported short by a multiple of 22,020,096. They do not occur: a step
 * visits each bit of the stored matrices once, the 64 KB that LPM reaches have 2^19 bits, and 42
 * cycles per bit would be needed. A zero in a bitmap takes about 10 cycles for its bit, a dense
 * weight about 90 for its 8.
 *
 * Marks: GPIOR0 = 1 at the beginning of a stretch, 2 at its end.
 * Stack: painted from the end of .bss to RAMEND before main; the peak includes interrupts.
 * Reset: by the watchdog, which .init3 turns off again; after it the bootloader starts the program
 * at once (Optiboot, and Arduino's stk500v2 of 2012 and later). */
#include "hal.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <avr/wdt.h>

#include "messages.h"
#include "model_data.h"

#define RING_SIZE 64u               /* a power of two, at most 256 */
#define PAINT 0xC5u

/* Double speed: baud = clock / (8 (UBRR0 + 1)), rounded ("Internal Clock Generation - The Baud Rate
 * Generator"). */
#define UBRR_VALUE ((RNN_CLOCK_HZ / 4UL / RNN_BAUD - 1UL) / 2UL)

static volatile uint8_t ring[RING_SIZE];
static volatile uint8_t head, tail; /* bytes tail .. head - 1 wait */
static volatile uint16_t overruns;

/* ---- before main ---- */

extern uint8_t _end;                /* end of .bss, from the linker */

/* After a watchdog reset the watchdog stays on, at its shortest period ("Watchdog Timer"). */
void hal_early(void) __attribute__((naked, used, section(".init3")));
void hal_early(void)
{
    MCUSR = 0;
    wdt_disable();
    /* Volatile, so that this stays a loop: memset would paint over its own return address. */
    for (volatile uint8_t *at = &_end; at <= (uint8_t *)RAMEND; at++)
        *at = PAINT;
}

uint16_t hal_stack_peak(void)
{
    const uint8_t *at = &_end;
    while (at <= (const uint8_t *)RAMEND && *at == PAINT)
        at++;
    return (uint16_t)((uint16_t)RAMEND + 1u - (uint16_t)at);
}

/* ---- serial line ---- */

/* An MCU with one USART does not number its vectors. */
#ifdef USART_RX_vect
#define RECEIVED_vect USART_RX_vect
#else
#define RECEIVED_vect USART0_RX_vect
#endif

ISR(RECEIVED_vect)
{
    uint8_t status = UCSR0A;        /* before UDR0: it belongs to the byte */
    uint8_t byte = UDR0;
    uint8_t next = (uint8_t)((head + 1u) & (RING_SIZE - 1u));
    if (status & (1u << DOR0))
        overruns++;
    if (next == tail) {
        overruns++;
        return;
    }
    ring[head] = byte;
    head = next;
}

void hal_init(void)
{
    UBRR0 = (uint16_t)UBRR_VALUE;
    UCSR0A = 1u << U2X0;
    UCSR0C = (1u << UCSZ01) | (1u << UCSZ00);                   /* 8N1 */
    UCSR0B = (1u << RXCIE0) | (1u << RXEN0) | (1u << TXEN0);
    sei();
}

int16_t hal_read(void)
{
    uint8_t at = tail;
    if (at == head)
        return -1;
    uint8_t byte = ring[at];
    tail = (uint8_t)((at + 1u) & (RING_SIZE - 1u));
    return byte;
}

void hal_write(const uint8_t *bytes, uint16_t size)
{
    for (; size; size--) {
        while (!(UCSR0A & (1u << UDRE0)))
            ;
        UDR0 = *bytes++;
        UCSR0A = (1u << U2X0) | (1u << TXC0);   /* TXC0, of an earlier byte, is cleared by a one */
    }
}

void hal_idle(void)
{
    cli();
    if (head == tail) {
        SMCR = 1u << SE;            /* idle mode: the USART goes on */
        sei();                      /* takes effect after the next instruction */
        sleep_cpu();
        SMCR = 0;
    }
    sei();
}

uint32_t hal_overruns(void)
{
    cli();
    uint16_t lost = overruns;
    sei();
    return lost;
}

/* ---- measured stretches ---- */

#define TIMER0_PERIOD 253u
#define LOW_TICKS(low) (uint8_t)((low) >> 10)

void hal_stretch_begin(void)
{
    cli();
    TCCR0A = 1u << WGM01;                                       /* CTC */
    OCR0A = TIMER0_PERIOD - 1u;
    TCCR0B = (1u << CS02) | (1u << CS00);                       /* clk/1024 */
    TCCR2A = 0;
    TCCR2B = (1u << CS22) | (1u << CS21) | (1u << CS20);        /* clk/1024 */
    TCCR1A = 0;
    TCCR1B = 1u << CS10;                                        /* clk/1 */
    GTCCR = (1u << PSRASY) | (1u << PSRSYNC);                   /* both prescalers from zero */
    TCNT0 = 0;
    TCNT2 = 0;
    TCNT1 = 0;
    GPIOR0 = 1;
}

uint32_t hal_stretch_end(void)
{
    uint16_t low = TCNT1;
    GPIOR0 = 2;
    uint8_t slow2 = TCNT2, slow0 = TCNT0;
    TCCR0B = 0;
    TCCR1B = 0;
    TCCR2B = 0;                     /* stopped: they would wake a sleeping emulator for nothing */
    uint8_t ticks = LOW_TICKS(low);
    uint8_t j = (uint8_t)((uint8_t)((uint8_t)(slow2 - ticks) + 32u) >> 6);
    uint16_t vernier = (uint16_t)(slow0 + 2u * TIMER0_PERIOD + 1u - ticks - 64u * j);
    uint8_t m = (uint8_t)(vernier % TIMER0_PERIOD / 3u);
    sei();
    return ((uint32_t)(4u * m + j) << 16) | low;
}

uint8_t hal_timer(void)
{
    return TIMER_TIMER1;
}

/* ---- reset ---- */

void hal_reset(void)
{
    /* The last character takes ten bit times; TXC0 says when it has left. */
    for (uint16_t patience = UINT16_MAX; patience && !(UCSR0A & (1u << TXC0)); patience--)
        ;
    cli();
    wdt_enable(WDTO_15MS);
    for (;;)
        ;
}
