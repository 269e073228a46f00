/* SPDX-License-Identifier: MIT
 *
 * products_main.c -- runs every case once, when a character asks for them. */
#include <avr/io.h>
#include <stdint.h>

void put(uint8_t byte);
void run_all(void);                 /* made by the test: every case in turn */

void put(uint8_t byte)
{
    while (!(UCSR0A & (1u << UDRE0)))
        ;
    UDR0 = byte;
}

int main(void)
{
    UBRR0 = 16;                     /* 115200 baud at 16 MHz, double speed */
    UCSR0A = 1u << U2X0;
    UCSR0B = (1u << RXEN0) | (1u << TXEN0);
    for (const char *text = "ready\n"; *text; text++)
        put((uint8_t)*text);
    for (;;) {
        while (!(UCSR0A & (1u << RXC0)))
            ;
        (void)UDR0;
        run_all();
    }
}
