/* SPDX-License-Identifier: MIT
 *
 * hal_avr.c -- ATmega328P and ATmega2560 without the Arduino core: USART0, Timer0..2 as a cycle
 * counter. The registers used here have the same names and meaning in both.
 * Ref: Microchip ATmega48A/PA/88A/PA/168A/PA/328/P data sheet, DS40002061;
 *      ATmega640/V-1280/V-1281/V-2560/V-2561/V data sheet, DS40002211.
 *
 * Counter (timer 1). Exact for stretches of up to 22,020,096 cycles, 1.376 s at 16 MHz:
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
 * Interrupts stay on inside a stretch, so that the line goes on: the two there are, a character
 * received and a character wanted, take the same number of cycles on every path. An AVR ends an
 * instruction before it takes an interrupt and nothing is done twice ("Interrupt Response Time"), so
 * what they took is that number times how many there were, and is subtracted.
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

#define PAINT 0xC5u

/* Double speed: baud = clock / (8 (UBRR0 + 1)), rounded ("Internal Clock Generation - The Baud Rate
 * Generator"). */
#define UBRR_VALUE(baud) ((RNN_CLOCK_HZ / 4UL / (baud) - 1UL) / 2UL)

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
#define WANTED_vect USART_UDRE_vect
#else
#define RECEIVED_vect USART0_RX_vect
#define WANTED_vect USART0_UDRE_vect
#endif

#define SENT_SIZE 64u               /* a power of two, at most 256 */
#define SENT_MASK (SENT_SIZE - 1u)
#define CONTROL_A (1u << U2X0)
#define CONTROL_B ((1u << RXCIE0) | (1u << RXEN0) | (1u << TXEN0))
#define CONTROL_B_SENDING (CONTROL_B | (1u << UDRIE0))

/* An index of 8 bits goes round by itself. Bytes tail .. head - 1 wait in a ring; a full one has one
 * place left. `lost` counts modulo 256. */
static volatile uint8_t received[256], received_head, received_tail, lost;
static volatile uint8_t sent[SENT_SIZE], sent_head, sent_tail;

/* Interrupts taken since reset, modulo 2^16, are counted in GPIOR1 and 2: these are quicker to reach
 * than memory. Only to be read with interrupts off. */
#define INTERRUPTS ((uint16_t)(GPIOR1 | GPIOR2 << 8))

/* From the interrupt's entry (a push of the program counter, and 2) through the JMP of its vector (3)
 * and the 56 of its body, counted at each line, to the end of RETI (as the entry). */
#ifdef __AVR_3_BYTE_PC__
#define INTERRUPT_CYCLES (5u + 3u + 56u + 5u)
#else
#define INTERRUPT_CYCLES (4u + 3u + 56u + 4u)
#endif

#define ENTER                                                                       /* 11 */ \
    "push r24\n\tin r24, __SREG__\n\tpush r24\n\t" \
    "push r25\n\tpush r30\n\tpush r31\n\t"
#define COUNT_AND_LEAVE                                                             /* 6 + 11 */ \
    "in r30, %[low]\n\tin r31, %[high]\n\tadiw r30, 1\n\t" \
    "out %[high], r31\n\tout %[low], r30\n\t" \
    "pop r31\n\tpop r30\n\tpop r25\n\t" \
    "pop r24\n\tout __SREG__, r24\n\tpop r24\n\t" \
    "reti\n\t"

/* A skip takes as long as the instruction that it skips, a branch over a single one likewise. */
ISR(RECEIVED_vect, ISR_NAKED)
{
    __asm__ volatile(
        ENTER
        "lds r25, %[status]\n\t"                    /* 2; before the data: it belongs to the byte */
        "lds r24, %[data]\n\t"                      /* 2 */
        "lds r30, %[head]\n\t"                      /* 2 */
        "ldi r31, 0\n\t"                            /* 1 */
        "subi r30, lo8(-(%[ring]))\n\t"             /* 1 */
        "sbci r31, hi8(-(%[ring]))\n\t"             /* 1 */
        "st Z, r24\n\t"                             /* 2; the one place left, if it is full */
        "lds r31, %[lost]\n\t"                      /* 2 */
        "sbrc r25, %[overrun]\n\tinc r31\n\t"       /* 2 */
        "lds r24, %[head]\n\tinc r24\n\t"           /* 3 */
        "lds r25, %[tail]\n\t"                      /* 2 */
        "cpse r24, r25\n\tsts %[head], r24\n\t"     /* 3 */
        "cp r24, r25\n\t"                           /* 1 */
        "brne 1f\n\tinc r31\n1:\t"                  /* 2 */
        "sts %[lost], r31\n\t"                      /* 2 */
        COUNT_AND_LEAVE
        :
        : [status] "i"(&UCSR0A), [data] "i"(&UDR0), [overrun] "i"(DOR0), [ring] "i"(received),
          [head] "i"(&received_head), [tail] "i"(&received_tail), [lost] "i"(&lost),
          [low] "I"(_SFR_IO_ADDR(GPIOR1)), [high] "I"(_SFR_IO_ADDR(GPIOR2)));
}

/* UDRE asks for as long as there is room: the last byte switches it off. */
ISR(WANTED_vect, ISR_NAKED)
{
    __asm__ volatile(
        ENTER
        "lds r25, %[tail]\n\t"                      /* 2 */
        "mov r30, r25\n\tldi r31, 0\n\t"            /* 2 */
        "subi r30, lo8(-(%[ring]))\n\t"             /* 1 */
        "sbci r31, hi8(-(%[ring]))\n\t"             /* 1 */
        "ld r24, Z\n\t"                             /* 2 */
        "sts %[data], r24\n\t"                      /* 2 */
        "ldi r24, %[sent]\n\tsts %[status], r24\n\t"    /* 3; TXC, of an earlier byte */
        "inc r25\n\tandi r25, %[mask]\n\t"          /* 2 */
        "sts %[tail], r25\n\t"                      /* 2 */
        "lds r30, %[head]\n\t"                      /* 2 */
        "ldi r24, %[more]\n\t"                      /* 1 */
        "cpse r25, r30\n\trjmp 1f\n\t"              /* 3; or 2 and the next */
        "ldi r24, %[last]\n1:\t"
        "sts %[control], r24\n\t"                   /* 2 */
        "rjmp 2f\n2:\tnop\n\t"                       /* 3, as the other has */
        COUNT_AND_LEAVE
        :
        : [status] "i"(&UCSR0A), [data] "i"(&UDR0), [control] "i"(&UCSR0B), [ring] "i"(sent),
          [head] "i"(&sent_head), [tail] "i"(&sent_tail), [mask] "i"(SENT_MASK),
          [sent] "i"(CONTROL_A | 1u << TXC0), [more] "i"(CONTROL_B_SENDING), [last] "i"(CONTROL_B),
          [low] "I"(_SFR_IO_ADDR(GPIOR1)), [high] "I"(_SFR_IO_ADDR(GPIOR2)));
}

void hal_init(void)
{
    UBRR0 = (uint16_t)UBRR_VALUE(RNN_BAUD);
    UCSR0A = CONTROL_A;
    UCSR0C = (1u << UCSZ01) | (1u << UCSZ00);                   /* 8N1 */
    UCSR0B = CONTROL_B;
    sei();
}

uint16_t hal_waiting(const uint8_t **bytes)
{
    uint8_t head = received_head, tail = received_tail;
    *bytes = (const uint8_t *)received + tail;
    return head >= tail ? (uint16_t)(head - tail) : (uint16_t)(sizeof received - tail);
}

void hal_drop(uint16_t count)
{
    received_tail = (uint8_t)(received_tail + count);
}

void hal_write(const uint8_t *bytes, uint16_t size)
{
    for (; size; size--) {
        uint8_t next = (uint8_t)((sent_head + 1u) & SENT_MASK);
        while (next == sent_tail)
            ;
        sent[sent_head] = *bytes++;
        sent_head = next;
        UCSR0B = CONTROL_B_SENDING;
    }
}

void hal_idle(void)
{
    cli();
    if (received_head == received_tail) {
        SMCR = 1u << SE;            /* idle mode: the USART goes on */
        sei();                      /* takes effect after the next instruction */
        sleep_cpu();
        SMCR = 0;
    }
    sei();
}

uint32_t hal_overruns(void)
{
    return lost;
}

uint16_t hal_window(void)
{
    return sizeof received - 1u;
}

/* The last character takes ten bit times; TXC0 says when it has left. */
static void flush(void)
{
    while (sent_head != sent_tail)
        ;
    for (uint16_t patience = UINT16_MAX; patience && !(UCSR0A & (1u << TXC0)); patience--)
        ;
}

/* Those that the clock of both boards divides exactly. */
uint8_t hal_bauds(void)
{
    return BAUD_BIT(BAUD_250000) | BAUD_BIT(BAUD_500000) | BAUD_BIT(BAUD_1000000);
}

void hal_set_baud(uint8_t rate)
{
    uint16_t divisor = (uint16_t)UBRR_VALUE(RNN_BAUD);
    if (rate == BAUD_250000)
        divisor = (uint16_t)UBRR_VALUE(250000UL);
    else if (rate == BAUD_500000)
        divisor = (uint16_t)UBRR_VALUE(500000UL);
    else if (rate == BAUD_1000000)
        divisor = (uint16_t)UBRR_VALUE(1000000UL);
    flush();
    UBRR0 = divisor;
}

/* ---- measured stretches ---- */

#define TIMER0_PERIOD 253u
#define LOW_TICKS(low) (uint8_t)((low) >> 10)

static uint16_t interrupts_before;

void hal_stretch_begin(void)
{
    cli();
    interrupts_before = INTERRUPTS;
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
    sei();
}

uint32_t hal_stretch_end(void)
{
    cli();
    uint16_t low = TCNT1;
    GPIOR0 = 2;
    uint16_t taken = INTERRUPTS - interrupts_before;
    uint8_t slow2 = TCNT2, slow0 = TCNT0;
    TCCR0B = 0;
    TCCR1B = 0;
    TCCR2B = 0;                     /* stopped: they would wake a sleeping emulator for nothing */
    uint8_t ticks = LOW_TICKS(low);
    uint8_t j = (uint8_t)((uint8_t)((uint8_t)(slow2 - ticks) + 32u) >> 6);
    uint16_t vernier = (uint16_t)(slow0 + 2u * TIMER0_PERIOD + 1u - ticks - 64u * j);
    while (vernier >= TIMER0_PERIOD)            /* twice at most; cheaper than a division */
        vernier = (uint16_t)(vernier - TIMER0_PERIOD);
    uint8_t m = (uint8_t)((uint16_t)(vernier * 171u) >> 9);     /* a third */
    sei();
    uint32_t cycles = ((uint32_t)(4u * m + j) << 16) | low;
    return cycles - (uint32_t)taken * INTERRUPT_CYCLES;
}

uint8_t hal_timer(void)
{
    return TIMER_TIMER1;
}

/* ---- reset ---- */

void hal_reset(void)
{
    flush();
    cli();
    wdt_enable(WDTO_15MS);
    for (;;)
        ;
}
