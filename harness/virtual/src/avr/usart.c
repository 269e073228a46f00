/* SPDX-License-Identifier: GPL-3.0-or-later
 * usart.c -- see uno.h. USART0 in asynchronous mode, in place of libsimavr 1.6's, of which only the
 * three interrupt vectors are used. What was wrong with that one:
 *
 *   - a character took 11 bit times, because a parity bit was counted that 8N1 has not;
 *   - its receiver held 64 characters; silicon holds two and a third in the shift register, and a
 *     start bit that finds all three taken is a lost character (DS "Receiver Error Flags");
 *   - its transmitter had no buffer beside the shift register (DS "Data Transmission"), so an echo
 *     loop fell behind the line and lost characters that silicon does not lose;
 *   - the transmitter was enabled from reset on.
 *
 * Registers are those of DS "USART0", "Register Description". Not modelled: synchronous and SPI
 * modes, the ninth bit, multi-processor mode, PRR, framing and parity errors (the line has none),
 * and the wait of up to one bit for the baud clock when a first character is written. */
#include "uno.h"

#define UCSR0A 0xC0     /* data addresses; DS "Register Summary" */
#define UCSR0B 0xC1
#define UCSR0C 0xC2
#define UBRR0L 0xC4
#define UBRR0H 0xC5
#define UDR0 0xC6

enum { MPCM0 = 1 << 0, U2X0 = 1 << 1, DOR0 = 1 << 3, UDRE0 = 1 << 5, TXC0 = 1 << 6,
       RXC0 = 1 << 7 };                                                     /* UCSR0A */
enum { UCSZ02 = 1 << 2, TXEN0 = 1 << 3, RXEN0 = 1 << 4, UDRIE0 = 1 << 5, TXCIE0 = 1 << 6,
       RXCIE0 = 1 << 7 };                                                   /* UCSR0B */
enum { UCSZ00_BIT = 1, USBS0 = 1 << 3, UPM01 = 1 << 5 };                    /* UCSR0C */
#define UCSR0C_AT_RESET 0x06        /* 8N1 */

static uint8_t reg(const uno *u, unsigned address) { return u->avr->data[address]; }

static bool flag(const uno *u, unsigned address, unsigned bit)
{
    return reg(u, address) & bit;
}

static void set_flag(uno *u, uint8_t bit) { u->avr->data[UCSR0A] |= bit; }

static void clear_flag(uno *u, uint8_t bit) { u->avr->data[UCSR0A] &= (uint8_t)~bit; }

/* ---- length of a character: DS "Baud Rate Generator" and "Frame Formats" ---- */

static unsigned bits_per_character(const uno *u)
{
    unsigned frame = reg(u, UCSR0C);
    unsigned size = (frame >> UCSZ00_BIT & 3u) | (flag(u, UCSR0B, UCSZ02) ? 4u : 0);
    unsigned data_bits = size == 7 ? 9 : 5 + (size & 3u);
    return 1 + data_bits + (frame & UPM01 ? 1 : 0) + (frame & USBS0 ? 2 : 1);
}

static avr_cycle_count_t character_cycles(const uno *u)
{
    unsigned divisor = 1 + (reg(u, UBRR0L) | (reg(u, UBRR0H) & 0x0Fu) << 8);
    return (avr_cycle_count_t)bits_per_character(u) * divisor * (flag(u, UCSR0A, U2X0) ? 8 : 16);
}

/* ---- interrupts ---- */

/* RXC and UDRE are levels: they ask again as long as the flag is up. */
static void ask(uno *u, avr_int_vector_t *vector, uint8_t flag_bit, uint8_t enable_bit)
{
    if (flag(u, UCSR0A, flag_bit) && flag(u, UCSR0B, enable_bit))
        avr_raise_interrupt(u->avr, vector);
}

static void ask_all(uno *u)
{
    avr_uart_t *vectors = u->usart.vectors;
    ask(u, &vectors->rxc, RXC0, RXCIE0);
    ask(u, &vectors->udrc, UDRE0, UDRIE0);
}

static void on_vector(struct avr_irq_t *irq, uint32_t running, void *parameter)
{
    (void)irq;
    if (!running)
        ask_all(parameter);
}

/* ---- receiver ---- */

/* The stop bit has passed. */
static void receive(uno *u)
{
    usart *s = &u->usart;
    if (!flag(u, UCSR0B, RXEN0))
        return;
    if (s->doomed) {
        s->rx_overruns++;
        set_flag(u, DOR0);
        return;
    }
    s->rx_bytes++;
    s->received[s->unread++] = s->incoming;
    set_flag(u, RXC0);
    ask_all(u);
}

/* Begins the next character; false when none waits. */
static bool start_bit(uno *u)
{
    usart *s = &u->usart;
    int byte = host_rx_pop(u->host);
    s->receiving = byte >= 0;
    if (byte < 0)
        return false;
    s->incoming = (uint8_t)byte;
    s->doomed = s->unread == USART_DEPTH;
    return true;
}

static avr_cycle_count_t on_stop_bit(avr_t *avr, avr_cycle_count_t when, void *parameter)
{
    (void)avr;
    uno *u = parameter;
    receive(u);
    return start_bit(u) ? when + character_cycles(u) : 0;
}

void usart_feed(uno *u)
{
    if (!u->usart.receiving && start_bit(u))
        avr_cycle_timer_register(u->avr, character_cycles(u), on_stop_bit, u);
}

static void flush_receiver(uno *u)
{
    u->usart.unread = 0;
    clear_flag(u, RXC0 | DOR0);
    avr_clear_interrupt(u->avr, &u->usart.vectors->rxc);
}

static uint8_t on_read_data(avr_t *avr, avr_io_addr_t address, void *parameter)
{
    (void)avr, (void)address;
    uno *u = parameter;
    usart *s = &u->usart;
    uint8_t byte = s->received[0];
    if (s->unread > 0) {
        s->unread--;
        for (unsigned i = 0; i < s->unread; i++)
            s->received[i] = s->received[i + 1];
    }
    clear_flag(u, DOR0);
    if (s->unread == 0)
        flush_receiver(u);
    return byte;
}

/* ---- transmitter ---- */

static void load_shift_register(uno *u, uint8_t byte)
{
    u->usart.shifting = true;
    u->usart.outgoing = byte;
}

/* A character has left. */
static avr_cycle_count_t on_sent(avr_t *avr, avr_cycle_count_t when, void *parameter)
{
    uno *u = parameter;
    usart *s = &u->usart;
    s->tx_bytes++;
    host_tx(u->host, s->outgoing);
    if (flag(u, UCSR0A, UDRE0)) {
        s->shifting = false;
        avr_raise_interrupt(avr, &s->vectors->txc);
        return 0;
    }
    load_shift_register(u, s->buffered);
    set_flag(u, UDRE0);
    ask_all(u);
    return when + character_cycles(u);
}

/* A write while UDRE is clear is ignored; DS "UDRn". */
static void on_write_data(avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter)
{
    (void)address;
    uno *u = parameter;
    usart *s = &u->usart;
    if (!flag(u, UCSR0B, TXEN0) || !flag(u, UCSR0A, UDRE0))
        return;
    if (s->shifting) {
        s->buffered = value;
        clear_flag(u, UDRE0);
        avr_clear_interrupt(avr, &s->vectors->udrc);
        return;
    }
    load_shift_register(u, value);
    avr_cycle_timer_register(avr, character_cycles(u), on_sent, u);
}

bool usart_is_busy(const uno *u)
{
    return u->usart.receiving || u->usart.shifting || host_rx_count(u->host) > 0;
}

/* ---- control registers ---- */

static void on_write_a(avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter)
{
    uno *u = parameter;
    const uint8_t writable = U2X0 | MPCM0;
    if (value & TXC0)       /* cleared by writing one */
        avr_clear_interrupt(avr, &u->usart.vectors->txc);
    avr->data[address] = (uint8_t)((avr->data[address] & ~writable) | (value & writable));
}

static void on_write_b(avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter)
{
    uno *u = parameter;
    bool was_receiver = flag(u, UCSR0B, RXEN0);
    avr->data[address] = value;
    if (was_receiver && !(value & RXEN0))
        flush_receiver(u);
    ask(u, &u->usart.vectors->txc, TXC0, TXCIE0);
    ask_all(u);
}

/* ---- making ---- */

/* libsimavr has no call that hands out its USART; the module list holds it. */
static avr_uart_t *find_uart(const avr_t *avr)
{
    for (avr_io_t *io = avr->io_port; io; io = io->next)
        if (io->irq_ioctl_get == AVR_IOCTL_UART_GETIRQ('0'))
            return (avr_uart_t *)io;
    return NULL;
}

/* Takes a register away from libsimavr. NULL: no hook, the plain memory cell. */
static void take_over(uno *u, unsigned address, avr_io_read_t on_read, avr_io_write_t on_write)
{
    unsigned io = AVR_DATA_TO_IO(address);
    u->avr->io[io].r.c = on_read;
    u->avr->io[io].r.param = on_read ? u : NULL;
    u->avr->io[io].w.c = on_write;
    u->avr->io[io].w.param = on_write ? u : NULL;
}

int usart_init(uno *u)
{
    avr_uart_t *vectors = u->usart.vectors = find_uart(u->avr);
    if (!vectors)
        return -1;
    take_over(u, UCSR0A, NULL, on_write_a);
    take_over(u, UCSR0B, NULL, on_write_b);
    take_over(u, UCSR0C, NULL, NULL);
    take_over(u, UBRR0L, NULL, NULL);
    take_over(u, UBRR0H, NULL, NULL);
    take_over(u, UDR0, on_read_data, on_write_data);
    avr_irq_register_notify(vectors->rxc.irq + AVR_INT_IRQ_RUNNING, on_vector, u);
    avr_irq_register_notify(vectors->udrc.irq + AVR_INT_IRQ_RUNNING, on_vector, u);
    return 0;
}

void usart_reset(uno *u)
{
    usart *s = &u->usart;
    s->receiving = s->shifting = false;
    s->unread = 0;
    u->avr->data[UCSR0A] = UDRE0;
    u->avr->data[UCSR0B] = 0;
    u->avr->data[UCSR0C] = UCSR0C_AT_RESET;
}
