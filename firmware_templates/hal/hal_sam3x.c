/* SPDX-License-Identifier: MIT
 *
 * hal_sam3x.c -- ATSAM3X8E on the Arduino Due, bare metal: 84 MHz, the UART of the programming port
 * (PA8, PA9). The shared part is hal_armv7m.c.
 * Ref: Atmel SAM3X / SAM3A Series data sheet, 11057C, the chapter named by each block.
 *
 * Clock: the 12 MHz crystal times 14 by PLLA, halved. A crystal that does not start leaves the chip
 * on its 4 MHz RC oscillator and the line silent. No wait is unbounded.
 * Flash: five cycles an access (four wait states) at 84 MHz, 128 bits wide ("Embedded Flash
 * Characteristics"); what that costs is part of every measured cycle.
 * Marks: PC24, pin 6 of the Due, high during a stretch. */
#include "armv7m.h"
#include "model_data.h"

/* EEFC: Enhanced Embedded Flash Controller, one for each plane. */
#define EEFC0_FMR REG32(0x400E0A00u)
#define EEFC1_FMR REG32(0x400E0C00u)
#define FMR_FWS(cycles) ((uint32_t)(cycles) << 8)

/* PMC: Power Management Controller. */
#define PMC_PCER0 REG32(0x400E0610u)
#define PID_UART 8u
#define PID_PIOA 11u
#define PID_PIOC 13u
#define CKGR_MOR REG32(0x400E0620u)
#define MOR_KEY 0x00370000u
#define MOR_MOSCXTEN 1u
#define MOR_MOSCRCEN (1u << 3)
#define MOR_MOSCXTST (8u << 8)              /* start-up time, in 8 slow clock periods */
#define MOR_MOSCSEL (1u << 24)              /* the crystal is the main clock */
#define CKGR_PLLAR REG32(0x400E0628u)
#define PLLAR_ONE (1u << 29)
#define PLLAR_MUL(x) ((uint32_t)((x) - 1) << 16)
#define PLLAR_COUNT (0x3Fu << 8)
#define PLLAR_DIV(x) ((uint32_t)(x))
#define PMC_MCKR REG32(0x400E0630u)
#define MCKR_CSS_MAIN 1u
#define MCKR_CSS_PLLA 2u
#define MCKR_PRES_HALF (1u << 4)
#define PMC_SR 0x400E0668u
#define SR_MOSCXTS 1u
#define SR_LOCKA (1u << 1)
#define SR_MCKRDY (1u << 3)
#define SR_MOSCSELS (1u << 16)

/* PIO: Parallel Input/Output Controller. */
#define PIOA_PDR REG32(0x400E0E04u)         /* hands pins to their peripheral, A after reset */
#define PA8_PA9 (3u << 8)
#define PIOC_PER REG32(0x400E1200u)
#define PIOC_OER REG32(0x400E1210u)
#define PIOC_SODR REG32(0x400E1230u)
#define PIOC_CODR REG32(0x400E1234u)
#define MARK_PIN (1u << 24)

/* UART: Universal Asynchronous Receiver Transceiver. */
#define UART_CR REG32(0x400E0800u)
#define CR_RSTRX_RSTTX (3u << 2)
#define CR_RXEN (1u << 4)
#define CR_TXEN (1u << 6)
#define CR_RSTSTA (1u << 8)
#define UART_MR REG32(0x400E0804u)
#define MR_NO_PARITY (4u << 9)
#define UART_IER REG32(0x400E0808u)
#define UART_SR 0x400E0814u
#define SR_RXRDY 1u
#define SR_OVRE (1u << 5)
#define SR_TXEMPTY (1u << 9)
#define UART_RHR REG32(0x400E0818u)
#define UART_BRGR REG32(0x400E0820u)
#define UART_IRQ 8u

/* PDC: Peripheral DMA Controller, of this UART. */
#define UART_RPR REG32(0x400E0900u)
#define UART_RCR REG32(0x400E0904u)
#define UART_TPR REG32(0x400E0908u)
#define UART_TCR 0x400E090Cu
#define UART_PTCR REG32(0x400E0920u)
#define PTCR_RXTEN 1u
#define PTCR_RXTDIS (1u << 1)
#define PTCR_TXTEN (1u << 8)
#define PTCR_TXTDIS (1u << 9)

/* The NAND flash controller's RAM, 4 KB that nothing else uses: a port of the bus matrix of its own, so
 * that the PDC's transfers and the core's do not meet ("Bus Matrix", "SMC", "NFC SRAM"). */
#define PID_SMC 9u
#define NFC_SRAM 0x20100000u
#define HALF 2048u
#define PATIENCE_CHARACTER 10000u           /* rounds: some characters at any rate */
#define CAPTURED ((uint8_t *)NFC_SRAM)
#define OUT ((uint8_t *)(NFC_SRAM + HALF))

/* WDT: runs after reset, 16 s; its mode can be written once. */
#define WDT_MR REG32(0x400E1A54u)
#define WDT_MR_WDDIS (1u << 15)

static uint8_t wait_pmc(uint32_t flag)
{
    return wait_for((volatile uint32_t *)PMC_SR, flag, PATIENCE);
}

static void set_master_clock(uint32_t settings)
{
    PMC_MCKR = settings;
    wait_pmc(SR_MCKRDY);
}

/* The order of "Programming Sequence": the prescaler first, then the source. */
static void start_clock(void)
{
    EEFC0_FMR = FMR_FWS(4);
    EEFC1_FMR = FMR_FWS(4);
    set_master_clock(MCKR_CSS_MAIN);
    CKGR_MOR = MOR_KEY | MOR_MOSCXTST | MOR_MOSCRCEN | MOR_MOSCXTEN;
    if (!wait_pmc(SR_MOSCXTS))
        return;
    CKGR_MOR = MOR_KEY | MOR_MOSCXTST | MOR_MOSCRCEN | MOR_MOSCXTEN | MOR_MOSCSEL;
    wait_pmc(SR_MOSCSELS);
    CKGR_PLLAR = PLLAR_ONE | PLLAR_MUL(14) | PLLAR_COUNT | PLLAR_DIV(1);
    wait_pmc(SR_LOCKA);
    set_master_clock(MCKR_CSS_MAIN | MCKR_PRES_HALF);
    set_master_clock(MCKR_CSS_PLLA | MCKR_PRES_HALF);
}

static void start_uart(void)
{
    PIOA_PDR = PA8_PA9;
    UART_CR = CR_RSTRX_RSTTX | CR_RSTSTA;
    UART_MR = MR_NO_PARITY;
    UART_BRGR = (RNN_CLOCK_HZ + 8u * RNN_BAUD) / (16u * RNN_BAUD);
    UART_IER = SR_RXRDY;
    UART_CR = CR_RXEN | CR_TXEN;
    irq_enable(UART_IRQ);
}

void chip_start(void)
{
    WDT_MR = WDT_MR_WDDIS;
    start_clock();
    PMC_PCER0 = 1u << PID_UART | 1u << PID_SMC | 1u << PID_PIOA | 1u << PID_PIOC;
    PIOC_CODR = MARK_PIN;
    PIOC_OER = MARK_PIN;
    PIOC_PER = MARK_PIN;
    start_uart();
}

void chip_interrupt(void)
{
    uint32_t status = REG32(UART_SR);
    if (status & SR_OVRE) {
        UART_CR = CR_RSTSTA;
        ring_note_overrun();
    }
    if (status & SR_RXRDY)
        ring_put((uint8_t)UART_RHR);
}

static void wait_until_sent(void)
{
    for (uint32_t i = 0; i < HALF * PATIENCE_CHARACTER && REG32(UART_TCR); i++)
        ;
}

/* The PDC sends what lies in OUT, one piece behind the other; that is started again from its beginning
 * when all has been sent. */
void chip_write(const uint8_t *bytes, uint16_t size)
{
    static uint16_t end;
    if (end + (uint32_t)size > HALF)
        wait_until_sent();
    UART_PTCR = PTCR_TXTDIS;        /* or the count would change while it is added to */
    uint32_t left = REG32(UART_TCR);
    if (left == 0) {
        end = 0;
        UART_TPR = (uint32_t)OUT;
    }
    for (uint16_t i = 0; i < size; i++)
        OUT[end + i] = bytes[i];
    REG32(UART_TCR) = left + size;
    end = (uint16_t)(end + size);
    UART_PTCR = PTCR_TXTEN;
}

void chip_flush(void)
{
    wait_until_sent();
    wait_for((volatile uint32_t *)UART_SR, SR_TXEMPTY, PATIENCE);
}

/* Less than what fits, and no more than the ring of hal_armv7m.c. */
uint16_t chip_window(void)
{
    return 1023u;
}

void chip_capture(void)
{
    UART_RPR = (uint32_t)CAPTURED;
    UART_RCR = HALF;
    UART_PTCR = PTCR_RXTEN;
}

const uint8_t *chip_captured(uint16_t *count)
{
    *count = (uint16_t)(UART_RPR - (uint32_t)CAPTURED);
    return CAPTURED;
}

void chip_release(void)
{
    UART_PTCR = PTCR_RXTDIS;
}

void chip_mark_raise(void)
{
    PIOC_SODR = MARK_PIN;
}

void chip_mark_lower(void)
{
    PIOC_CODR = MARK_PIN;
}
