/* SPDX-License-Identifier: MIT
 *
 * hal_nrf52840.c -- nRF52840 on the Arduino Nano 33 BLE, bare metal behind its bootloader: 64 MHz, the
 * UART on pins D1 (TX, P1.03) and D0 (RX, P1.10). The shared part is hal_armv7m.c.
 * Ref: Nordic nRF52840 Product Specification v1.11, the chapter named by each block.
 *
 * Clock: the core always runs at 64 MHz; the crystal makes it exact. One that does not start leaves
 * the internal oscillator, which is good enough for the line. No wait is unbounded.
 * Marks: P1.14, pin D6, high during a stretch. */
#include "armv7m.h"
#include "model_data.h"

/* CLOCK. */
#define CLOCK_HFCLKSTART REG32(0x40000000u)
#define CLOCK_HFCLKSTARTED 0x40000100u

/* NVMC: the instruction cache of the flash. */
#define NVMC_ICACHECNF REG32(0x4001E540u)
#define ICACHECNF_ON 1u

/* GPIO, port 1. */
#define P1_OUTSET REG32(0x50000808u)
#define P1_OUTCLR REG32(0x5000080Cu)
#define P1_DIRSET REG32(0x50000818u)
#define P1_DIRCLR REG32(0x5000081Cu)
#define P1_PIN_CNF(pin) REG32(0x50000A00u + 4u * (pin))
#define PIN_CNF_INPUT_PULLUP 0x0Cu
#define TX_PIN 3u
#define RX_PIN 10u
#define MARK_PIN (1u << 14)

/* UART: Universal asynchronous receiver/transmitter; six characters of buffer for reception. */
#define UART_STARTRX REG32(0x40002000u)
#define UART_STARTTX REG32(0x40002008u)
#define UART_RXDRDY REG32(0x40002108u)
#define UART_TXDRDY 0x4000211Cu
#define UART_ERROR REG32(0x40002124u)
#define UART_INTENSET REG32(0x40002304u)
#define INTEN_RXDRDY (1u << 2)
#define UART_ERRORSRC REG32(0x40002480u)
#define ERRORSRC_OVERRUN 1u
#define UART_ENABLE REG32(0x40002500u)
#define ENABLE_UART 4u
#define UART_PSELRTS REG32(0x40002508u)
#define UART_PSELTXD REG32(0x4000250Cu)
#define UART_PSELCTS REG32(0x40002510u)
#define UART_PSELRXD REG32(0x40002514u)
#define PSEL_PORT1(pin) (1u << 5 | (pin))
#define PSEL_NONE 0xFFFFFFFFu
#define UART_RXD REG32(0x40002518u)
#define UART_TXD REG32(0x4000251Cu)
#define UART_BAUDRATE REG32(0x40002524u)
#define UART_CONFIG REG32(0x4000256Cu)
#define UART_IRQ 2u

/* Rate times 2^32 / 16 MHz, and the lowest 12 bits are not used ("BAUDRATE"). */
#define BAUDRATE_VALUE \
    ((uint32_t)((((uint64_t)RNN_BAUD << 32) + 8000000u) / 16000000u + 0x800u) & 0xFFFFF000u)

static uint8_t sending;             /* a character is under way: TXDRDY will come */

static void start_clock(void)
{
    REG32(CLOCK_HFCLKSTARTED) = 0;
    CLOCK_HFCLKSTART = 1;
    wait_for((volatile uint32_t *)CLOCK_HFCLKSTARTED, 1u, PATIENCE);
    NVMC_ICACHECNF = ICACHECNF_ON;
}

static void start_uart(void)
{
    P1_OUTSET = 1u << TX_PIN;       /* the line rests high */
    P1_DIRSET = 1u << TX_PIN;
    P1_DIRCLR = 1u << RX_PIN;
    P1_PIN_CNF(RX_PIN) = PIN_CNF_INPUT_PULLUP;
    UART_PSELRTS = PSEL_NONE;
    UART_PSELCTS = PSEL_NONE;
    UART_PSELTXD = PSEL_PORT1(TX_PIN);
    UART_PSELRXD = PSEL_PORT1(RX_PIN);
    UART_BAUDRATE = BAUDRATE_VALUE;
    UART_CONFIG = 0;                /* 8N1, no flow control */
    UART_ENABLE = ENABLE_UART;
    UART_INTENSET = INTEN_RXDRDY;
    UART_STARTTX = 1;
    UART_STARTRX = 1;
    irq_enable(UART_IRQ);
}

void chip_start(void)
{
    start_clock();
    P1_OUTCLR = MARK_PIN;
    P1_DIRSET = MARK_PIN;
    start_uart();
}

void chip_interrupt(void)
{
    UART_RXDRDY = 0;                /* before RXD is read: the next character sets it again */
    if (UART_ERRORSRC & ERRORSRC_OVERRUN) {
        UART_ERRORSRC = ERRORSRC_OVERRUN;
        UART_ERROR = 0;
        ring_note_overrun();
    }
    ring_put((uint8_t)UART_RXD);
}

void chip_flush(void)
{
    if (sending)
        wait_for((volatile uint32_t *)UART_TXDRDY, 1u, PATIENCE);
    sending = 0;
    REG32(UART_TXDRDY) = 0;
}

void chip_write(const uint8_t *bytes, uint16_t size)
{
    for (; size; size--) {
        chip_flush();               /* the transmitter holds one character */
        UART_TXD = *bytes++;
        sending = 1;
    }
}

/* Not used here: no traffic may meet a stretch. */
uint16_t chip_window(void)
{
    return 0;
}

void chip_capture(void)
{
}

const uint8_t *chip_captured(uint16_t *count)
{
    *count = 0;
    return 0;
}

void chip_release(void)
{
}

void chip_mark_raise(void)
{
    P1_OUTSET = MARK_PIN;
}

void chip_mark_lower(void)
{
    P1_OUTCLR = MARK_PIN;
}
