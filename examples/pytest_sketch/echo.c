/* A sketch for an Uno: greets, then sends every line back in capitals. */
#include <avr/io.h>

static void send(char c)
{
    while (!(UCSR0A & (1 << UDRE0)))
        ;
    UDR0 = c;
}

static char receive(void)
{
    while (!(UCSR0A & (1 << RXC0)))
        ;
    return UDR0;
}

int main(void)
{
    UBRR0 = 16;                         /* 115200 at 16 MHz, double speed */
    UCSR0A = 1 << U2X0;
    UCSR0B = 1 << TXEN0 | 1 << RXEN0;
    for (const char *c = "hello\n"; *c; c++)
        send(*c);
    for (;;) {
        char c = receive();
        send(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
}
