/* SPDX-License-Identifier: GPL-3.0-or-later
 * usart.c -- see board.h. USART0 in asynchronous mode, in place of libsimavr 1.6's, of which only the
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
#include "board.h"

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

static uint8_t reg(const board *b, unsigned address) { return b->avr->data[address]; }

static bool flag(const board *b, unsigned address, unsigned bit)
{
    return reg(b, address) & bit;
}

static void set_flag(board *b, uint8_t bit) { b->avr->data[UCSR0A] |= bit; }

static void clear_flag(board *b, uint8_t bit) { b->avr->data[UCSR0A] &= (uint8_t)~bit; }

/* ---- length of a character: DS "Baud Rate Generator" and "Frame Formats" ---- */

static unsigned bits_per_character(const board *b)
{
    unsigned frame = reg(b, UCSR0C);
    unsigned size = (frame >> UCSZ00_BIT & 3u) | (flag(b, UCSR0B, UCSZ02) ? 4u : 0);
    unsigned data_bits = size == 7 ? 9 : 5 + (size & 3u);
    return 1 + data_bits + (frame & UPM01 ? 1 : 0) + (frame & USBS0 ? 2 : 1);
}

static avr_cycle_count_t character_cycles(const board *b)
{
    unsigned divisor = 1 + (reg(b, UBRR0L) | (reg(b, UBRR0H) & 0x0Fu) << 8);
    return (avr_cycle_count_t)bits_per_character(b) * divisor * (flag(b, UCSR0A, U2X0) ? 8 : 16);
}

/* ---- interrupts ---- */

/* RXC and UDRE are levels: they ask again as long as the flag is up. */
static void ask(board *b, avr_int_vector_t *vector, uint8_t flag_bit, uint8_t enable_bit)
{
    if (flag(b, UCSR0A, flag_bit) && flag(b, UCSR0B, enable_bit))
        avr_raise_interrupt(b->avr, vector);
}

static void ask_all(board *b)
{
    avr_uart_t *vectors = b->usart.vectors;
    ask(b, &vectors->rxc, RXC0, RXCIE0);
    ask(b, &vectors->udrc, UDRE0, UDRIE0);
}

static void on_vector(struct avr_irq_t *irq, uint32_t running, void *parameter)
{
    (void)irq;
    if (!running)
        ask_all(parameter);
}

/* ---- receiver ---- */

/* The stop bit has passed. */
static void receive(board *b)
{
    usart *s = &b->usart;
    if (!flag(b, UCSR0B, RXEN0))
        return;
    if (s->doomed) {
        s->rx_overruns++;
        set_flag(b, DOR0);
        return;
    }
    s->rx_bytes++;
    s->received[s->unread++] = s->incoming;
    set_flag(b, RXC0);
    ask_all(b);
}

/* Begins the next character; false when none waits. */
static bool start_bit(board *b)
{
    usart *s = &b->usart;
    int byte = host_rx_pop(b->host);
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
    board *b = parameter;
    receive(b);
    return start_bit(b) ? when + character_cycles(b) : 0;
}

void usart_feed(board *b)
{
    if (!b->usart.receiving && start_bit(b))
        avr_cycle_timer_register(b->avr, character_cycles(b), on_stop_bit, b);
}

static void flush_receiver(board *b)
{
    b->usart.unread = 0;
    clear_flag(b, RXC0 | DOR0);
    avr_clear_interrupt(b->avr, &b->usart.vectors->rxc);
}

static uint8_t on_read_data(avr_t *avr, avr_io_addr_t address, void *parameter)
{
    (void)avr, (void)address;
    board *b = parameter;
    usart *s = &b->usart;
    uint8_t byte = s->received[0];
    if (s->unread > 0) {
        s->unread--;
        for (unsigned i = 0; i < s->unread; i++)
            s->received[i] = s->received[i + 1];
    }
    clear_flag(b, DOR0);
    if (s->unread == 0)
        flush_receiver(b);
    return byte;
}

/* ---- transmitter ---- */

static void load_shift_register(board *b, uint8_t byte)
{
    b->usart.shifting = true;
    b->usart.outgoing = byte;
}

/* A character has left. */
static avr_cycle_count_t on_sent(avr_t *avr, avr_cycle_count_t when, void *parameter)
{
    board *b = parameter;
    usart *s = &b->usart;
    s->tx_bytes++;
    host_tx(b->host, s->outgoing);
    if (flag(b, UCSR0A, UDRE0)) {
        s->shifting = false;
        avr_raise_interrupt(avr, &s->vectors->txc);
        return 0;
    }
    load_shift_register(b, s->buffered);
    set_flag(b, UDRE0);
    ask_all(b);
    return when + character_cycles(b);
}

/* A write while UDRE is clear is ignored; DS "UDRn". */
static void on_write_data(avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter)
{
    (void)address;
    board *b = parameter;
    usart *s = &b->usart;
    if (!flag(b, UCSR0B, TXEN0) || !flag(b, UCSR0A, UDRE0))
        return;
    if (s->shifting) {
        s->buffered = value;
        clear_flag(b, UDRE0);
        avr_clear_interrupt(avr, &s->vectors->udrc);
        return;
    }
    load_shift_register(b, value);
    avr_cycle_timer_register(avr, character_cycles(b), on_sent, b);
}

bool usart_is_busy(const board *b)
{
    return b->usart.receiving || b->usart.shifting || host_rx_count(b->host) > 0;
}

/* ---- control registers ---- */

static void on_write_a(avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter)
{
    board *b = parameter;
    const uint8_t writable = U2X0 | MPCM0;
    if (value & TXC0)       /* cleared by writing one */
        avr_clear_interrupt(avr, &b->usart.vectors->txc);
    avr->data[address] = (uint8_t)((avr->data[address] & ~writable) | (value & writable));
}

static void on_write_b(avr_t *avr, avr_io_addr_t address, uint8_t value, void *parameter)
{
    board *b = parameter;
    bool was_receiver = flag(b, UCSR0B, RXEN0);
    avr->data[address] = value;
    if (was_receiver && !(value & RXEN0))
        flush_receiver(b);
    ask(b, &b->usart.vectors->txc, TXC0, TXCIE0);
    ask_all(b);
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
static void take_over(board *b, unsigned address, avr_io_read_t on_read, avr_io_write_t on_write)
{
    unsigned io = AVR_DATA_TO_IO(address);
    b->avr->io[io].r.c = on_read;
    b->avr->io[io].r.param = on_read ? b : NULL;
    b->avr->io[io].w.c = on_write;
    b->avr->io[io].w.param = on_write ? b : NULL;
}

int usart_init(board *b)
{
    avr_uart_t *vectors = b->usart.vectors = find_uart(b->avr);
    if (!vectors)
        return -1;
    take_over(b, UCSR0A, NULL, on_write_a);
    take_over(b, UCSR0B, NULL, on_write_b);
    take_over(b, UCSR0C, NULL, NULL);
    take_over(b, UBRR0L, NULL, NULL);
    take_over(b, UBRR0H, NULL, NULL);
    take_over(b, UDR0, on_read_data, on_write_data);
    avr_irq_register_notify(vectors->rxc.irq + AVR_INT_IRQ_RUNNING, on_vector, b);
    avr_irq_register_notify(vectors->udrc.irq + AVR_INT_IRQ_RUNNING, on_vector, b);
    return 0;
}

void usart_reset(board *b)
{
    usart *s = &b->usart;
    s->receiving = s->shifting = false;
    s->unread = 0;
    b->avr->data[UCSR0A] = UDRE0;
    b->avr->data[UCSR0B] = 0;
    b->avr->data[UCSR0C] = UCSR0C_AT_RESET;
}
