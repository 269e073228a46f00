/* SPDX-License-Identifier: MIT
 * probe.c -- test firmware for the virtual Uno and Mega: one letter per question, 115200 baud 8N1, polled.
 *
 *   t <row>         run timing row <row> (rows.S), answer its Timer1 ticks, 2 bytes
 *   u               send 1000 characters between the marks
 *   r               receive 200 characters; marks from the first to the last; answer '.'
 *   e <lo> <hi>     echo that many characters
 *   k <lo> <hi>     the same by interrupts, with Timer0 interrupting every 256 cycles
 *   q               call a routine that pushes 18 bytes; answer SP before the call, 2 bytes
 *   Q               the same with a frame of 300 bytes
 *   o <chars>       let so many character times pass without reading, answer <n> and the n
 *                   characters then found in the receiver
 *   s               sleep (idle) until a character comes, woken by Timer0 as well; answer it
 *   z               sleep for good: interrupts off
 *   i               a fixed computation between the marks; answer its 4-byte result
 *   w               let the watchdog reset
 *   x               execute an undefined instruction        X  jump into erased flash
 *   p               write far outside memory                P  run the stack out of SRAM
 *   b               compute without end, looking at nothing
 */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <avr/sleep.h>
#include <avr/wdt.h>
#include <stdint.h>

#ifndef USART_RX_vect       /* an MCU with several USARTs */
#define USART_RX_vect USART0_RX_vect
#define USART_UDRE_vect USART0_UDRE_vect
#endif

#define CHARACTER_CYCLES 1360u      /* 10 bits of 8 * (16 + 1) cycles */

extern const uint16_t row_table[];

ISR(TIMER2_COMPA_vect, ISR_NAKED) { __asm__ volatile("reti"); }
ISR(TIMER0_OVF_vect) {}

static volatile uint8_t ring[64], head, tail, ringing;
static volatile uint16_t left;

ISR(USART_RX_vect)
{
    if (!ringing) {     /* only wakes */
        UCSR0B &= (uint8_t)~_BV(RXCIE0);
        return;
    }
    ring[head++ & 63] = UDR0;
    UCSR0B |= _BV(UDRIE0);
}

ISR(USART_UDRE_vect)
{
    UDR0 = ring[tail++ & 63];
    left--;
    if (tail == head)
        UCSR0B &= (uint8_t)~_BV(UDRIE0);
}

static void send(uint8_t byte)
{
    while (!(UCSR0A & _BV(UDRE0))) {}
    UDR0 = byte;
}

static uint8_t receive(void)
{
    while (!(UCSR0A & _BV(RXC0))) {}
    return UDR0;
}

static void say(const char *text)
{
    while (*text)
        send((uint8_t)*text++);
}

static void timing_row(void)
{
    uint8_t row = receive();
    uint16_t (*run)(void) = (uint16_t (*)(void))pgm_read_word(&row_table[row]);
    cli();
    uint16_t ticks = run();
    TIMSK2 = 0;
    send((uint8_t)ticks);
    send((uint8_t)(ticks >> 8));
}

static void send_thousand(void)
{
    GPIOR0 = 1;
    for (uint16_t i = 0; i < 1000; i++)
        send((uint8_t)i);
    UCSR0A |= _BV(TXC0);
    while (!(UCSR0A & _BV(TXC0))) {}
    GPIOR0 = 2;
}

static void receive_200(void)
{
    receive();
    GPIOR0 = 1;
    for (uint8_t i = 1; i < 200; i++)
        receive();
    GPIOR0 = 2;
    send('.');
}

static void echo(void)
{
    uint16_t count = receive();
    count |= (uint16_t)receive() << 8;
    while (count--)
        send(receive());
}

static uint16_t characters_left(void)
{
    cli();
    uint16_t count = left;
    sei();
    return count;
}

static void echo_by_interrupts(void)
{
    left = receive();
    left |= (uint16_t)receive() << 8;
    head = tail = 0;
    ringing = 1;
    TCCR0B = _BV(CS00);
    TIMSK0 = _BV(TOIE0);
    UCSR0B |= _BV(RXCIE0);
    while (characters_left()) {}
    cli();
    UCSR0B &= (uint8_t)~(_BV(RXCIE0) | _BV(UDRIE0));
    TIMSK0 = 0;
    ringing = 0;
}

uint16_t row_0(void);

static void send_word(uint16_t word)
{
    send((uint8_t)word);
    send((uint8_t)(word >> 8));
}

static __attribute__((noinline)) void small_stack(void)
{
    uint16_t sp = SP;
    row_0();
    send_word(sp);
}

static __attribute__((noinline)) void fill(volatile uint8_t *bytes)
{
    for (uint16_t i = 0; i < 300; i++)
        bytes[i] = (uint8_t)i;
}

static __attribute__((noinline)) void with_frame(void)
{
    uint8_t frame[300];
    fill(frame);
}

static __attribute__((noinline)) void large_stack(void)
{
    uint16_t sp = SP;
    with_frame();
    send_word(sp);
}

static __attribute__((noinline)) void overrun(void)
{
    uint8_t characters = receive();
    uint8_t found[64], n = 0;
    for (; characters; characters--) {
        uint16_t start = TCNT1;
        while ((uint16_t)(TCNT1 - start) < CHARACTER_CYCLES) {}
    }
    while (UCSR0A & _BV(RXC0))
        found[n++ & 63] = UDR0;
    send(n);
    for (uint8_t i = 0; i < n; i++)
        send(found[i]);
}

static void sleep_until_character(void)
{
    TCCR0B = _BV(CS02) | _BV(CS00);     /* clk / 1024: overflows every 16 ms */
    TIMSK0 = _BV(TOIE0);
    set_sleep_mode(SLEEP_MODE_IDLE);
    cli();
    while (!(UCSR0A & _BV(RXC0))) {
        UCSR0B |= _BV(RXCIE0);
        sleep_enable();
        sei();
        sleep_cpu();
        cli();
    }
    UCSR0B &= (uint8_t)~_BV(RXCIE0);
    TIMSK0 = 0;
    send(UDR0);
}

static void sleep_for_good(void)
{
    cli();
    sleep_enable();
    sleep_cpu();
}

static void compute(void)
{
    float h = 0.1f;
    uint32_t seed = 12345;
    GPIOR0 = 1;
    for (uint8_t i = 0; i < 200; i++) {
        seed = seed * 1664525u + 1013904223u;
        h = h * 0.75f + (float)(int16_t)(seed >> 16) * (1.0f / 32768.0f);
    }
    GPIOR0 = 2;
    union {
        float value;
        uint8_t bytes[4];
    } result = {h};
    for (uint8_t i = 0; i < 4; i++)
        send(result.bytes[i]);
}

static void watchdog(void)
{
    wdt_enable(WDTO_15MS);
    for (;;) {}
}

static void dive(volatile uint8_t depth)
{
    volatile uint8_t frame[32];
    frame[0] = depth;
    dive((uint8_t)(frame[0] + 1));
    frame[1] = depth;
}

static void answer(uint8_t letter)
{
    switch (letter) {
    case 't': timing_row(); break;
    case 'u': send_thousand(); break;
    case 'r': receive_200(); break;
    case 'e': echo(); break;
    case 'k': echo_by_interrupts(); break;
    case 'q': small_stack(); break;
    case 'Q': large_stack(); break;
    case 'o': overrun(); break;
    case 's': sleep_until_character(); break;
    case 'z': sleep_for_good(); break;
    case 'i': compute(); break;
    case 'w': watchdog(); break;
    case 'x': __asm__ volatile(".word 0x0001"); break;
    case 'X': ((void (*)(void))0x3000)(); break;
    case 'p': *(volatile uint8_t *)0x4000 = 1; break;
    case 'P': dive(0); break;
    case 'b': for (;;) {}
    default: break;
    }
}

int main(void)
{
    MCUSR = 0;
    wdt_disable();
    UCSR0A = _BV(U2X0);
    UBRR0 = 16;
    UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
    UCSR0B = _BV(RXEN0) | _BV(TXEN0);
    TCCR1B = _BV(CS10);
    say("ready\n");
    for (;;)
        answer(receive());
}
