/* SPDX-License-Identifier: MIT
 *
 * hal_stm32l4r5.c -- STM32L4R5ZI on the Nucleo-144, bare metal: 120 MHz, two serial lines. The shared
 * part is hal_armv7m.c.
 * Ref: ST RM0432 (STM32L4+ Series reference manual), the chapter named by each block; DS12023
 *      (STM32L4R5xx data sheet), alternate functions; UM2179 (Nucleo-144 board), connectors.
 *
 * Lines: LPUART1 (PG7, PG8) leads to the ST-Link's USB port; USART2 (PA2, PA3) is one that the system
 * bootloader listens on (AN2606). The firmware hears both and answers where it was asked last; before
 * that, on both.
 * Clock: MSI, 4 MHz, times 60 by the PLL, halved, with boost mode and five wait states; the 32.768 kHz
 * crystal trims MSI where it starts. No wait is unbounded.
 * Marks: PE9, pin D6, high during a stretch. */
#include "armv7m.h"
#include "model_data.h"

/* FLASH. */
#define FLASH_ACR REG32(0x40022000u)
#define ACR_120_MHZ (5u | 1u << 8 | 1u << 9 | 1u << 10)     /* 5 WS; prefetch, both caches */

/* PWR: Power control. */
#define PWR_CR1 REG32(0x40007000u)
#define CR1_DBP (1u << 8)
#define PWR_CR2 REG32(0x40007004u)
#define CR2_IOSV (1u << 9)                  /* VDDIO2, which feeds PG2..PG15, is there */
#define PWR_CR5 REG32(0x40007080u)
#define CR5_R1MODE (1u << 8)                /* 0: boost mode, needed above 80 MHz */

/* RCC: Reset and clock control. */
#define RCC_CR 0x40021000u
#define CR_MSIPLLEN (1u << 2)
#define CR_PLLON (1u << 24)
#define CR_PLLRDY (1u << 25)
#define RCC_CFGR 0x40021008u
#define CFGR_SW_PLL 3u
#define CFGR_SWS_PLL (3u << 2)
#define CFGR_HPRE_HALF (8u << 4)
#define RCC_PLLCFGR REG32(0x4002100Cu)
#define PLLCFGR_120_MHZ (1u | 60u << 8 | 1u << 24)          /* MSI / 1 * 60 / 2, output R on */
#define RCC_AHB2ENR REG32(0x4002104Cu)
#define AHB2ENR_GPIO_A_E_G (1u | 1u << 4 | 1u << 6)
#define RCC_APB1ENR1 REG32(0x40021058u)
#define APB1ENR1_USART2 (1u << 17)
#define APB1ENR1_PWR (1u << 28)
#define RCC_APB1ENR2 REG32(0x4002105Cu)
#define APB1ENR2_LPUART1 1u
#define RCC_BDCR 0x40021090u
#define BDCR_LSEON 1u
#define BDCR_LSERDY (1u << 1)
#define CRYSTAL_PATIENCE 1000000u           /* some seconds at the 4 MHz of reset */

/* GPIO: two bits of MODER and four of AFR for each pin. */
#define GPIOA 0x48000000u
#define GPIOE 0x48001000u
#define GPIOG 0x48001800u
#define GPIO_MODER(port) REG32((port) + 0x00u)
#define GPIO_BSRR(port) REG32((port) + 0x18u)
#define GPIO_AFR(port, pin) REG32((port) + 0x20u + 4u * ((pin) / 8u))
#define MODE_OUTPUT 1u
#define MODE_ALTERNATE 2u
#define MARK_PIN 9u

/* USART and LPUART: the same registers. */
#define UART_CR1(uart) REG32((uart) + 0x00u)
#define CR1_UE_RE_TE (1u | 1u << 2 | 1u << 3)
#define CR1_RXNEIE (1u << 5)
#define UART_BRR(uart) REG32((uart) + 0x0Cu)
#define UART_ISR(uart) REG32((uart) + 0x1Cu)
#define ISR_ORE (1u << 3)
#define ISR_RXNE (1u << 5)
#define ISR_TC (1u << 6)
#define ISR_TXE (1u << 7)
#define UART_ICR(uart) REG32((uart) + 0x20u)
#define UART_RDR(uart) REG32((uart) + 0x24u)
#define UART_TDR(uart) REG32((uart) + 0x28u)
#define USART2 0x40004400u
#define USART2_IRQ 38u
#define LPUART1 0x40008000u
#define LPUART1_IRQ 70u
/* "USART baud rate generation": clock / baud; LPUART: 256 times that. Rounded. */
#define USART_BRR ((RNN_CLOCK_HZ + RNN_BAUD / 2u) / RNN_BAUD)
#define LPUART_BRR ((uint32_t)((256ull * RNN_CLOCK_HZ + RNN_BAUD / 2u) / RNN_BAUD))

static const uint32_t uarts[] = {LPUART1, USART2};
#define UARTS (sizeof uarts / sizeof *uarts)

static volatile uint32_t asked_by;  /* the line of the last byte; 0: none yet */

static void trim_msi(void)
{
    PWR_CR1 |= CR1_DBP;             /* else the backup domain cannot be written */
    REG32(RCC_BDCR) |= BDCR_LSEON;
    if (wait_for((volatile uint32_t *)RCC_BDCR, BDCR_LSERDY, CRYSTAL_PATIENCE))
        REG32(RCC_CR) |= CR_MSIPLLEN;
}

static void start_clock(void)
{
    RCC_APB1ENR1 |= APB1ENR1_PWR;
    (void)RCC_APB1ENR1;             /* two cycles until the clock is there */
    trim_msi();
    PWR_CR5 &= ~CR5_R1MODE;
    FLASH_ACR = ACR_120_MHZ;
    RCC_PLLCFGR = PLLCFGR_120_MHZ;
    REG32(RCC_CR) |= CR_PLLON;
    wait_for((volatile uint32_t *)RCC_CR, CR_PLLRDY, PATIENCE);
    /* "Increasing the CPU frequency" beyond 80 MHz: half of it first, for 1 us at least. */
    REG32(RCC_CFGR) = CFGR_HPRE_HALF | CFGR_SW_PLL;
    wait_for((volatile uint32_t *)RCC_CFGR, CFGR_SWS_PLL, PATIENCE);
    for (volatile uint32_t i = 0; i < 60u; i++)
        ;
    REG32(RCC_CFGR) = CFGR_SW_PLL;
}

static void set_mode(uint32_t port, uint32_t pin, uint32_t mode)
{
    GPIO_MODER(port) = (GPIO_MODER(port) & ~(3u << (2u * pin))) | mode << (2u * pin);
}

static void set_alternate(uint32_t port, uint32_t pin, uint32_t function)
{
    uint32_t shift = 4u * (pin % 8u);
    GPIO_AFR(port, pin) = (GPIO_AFR(port, pin) & ~(15u << shift)) | function << shift;
    set_mode(port, pin, MODE_ALTERNATE);
}

static void start_uart(uint32_t uart, uint32_t rate, uint32_t irq)
{
    UART_CR1(uart) = 0;
    UART_BRR(uart) = rate;
    UART_CR1(uart) = CR1_UE_RE_TE | CR1_RXNEIE;
    irq_enable(irq);
}

void chip_start(void)
{
    start_clock();
    PWR_CR2 |= CR2_IOSV;
    RCC_AHB2ENR |= AHB2ENR_GPIO_A_E_G;
    RCC_APB1ENR1 |= APB1ENR1_USART2;
    RCC_APB1ENR2 |= APB1ENR2_LPUART1;
    (void)RCC_APB1ENR2;
    set_alternate(GPIOA, 2u, 7u);
    set_alternate(GPIOA, 3u, 7u);
    set_alternate(GPIOG, 7u, 8u);
    set_alternate(GPIOG, 8u, 8u);
    chip_mark_lower();
    set_mode(GPIOE, MARK_PIN, MODE_OUTPUT);
    start_uart(LPUART1, LPUART_BRR, LPUART1_IRQ);
    start_uart(USART2, USART_BRR, USART2_IRQ);
}

void chip_interrupt(void)
{
    for (uint32_t i = 0; i < UARTS; i++) {
        uint32_t status = UART_ISR(uarts[i]);
        if (status & ISR_ORE) {
            UART_ICR(uarts[i]) = ISR_ORE;
            ring_note_overrun();
        }
        if (status & ISR_RXNE) {
            ring_put((uint8_t)UART_RDR(uarts[i]));
            asked_by = uarts[i];
        }
    }
}

static void send(uint8_t byte)
{
    for (uint32_t i = 0; i < UARTS; i++) {
        if (asked_by && asked_by != uarts[i])
            continue;
        wait_for(&UART_ISR(uarts[i]), ISR_TXE, PATIENCE);
        UART_TDR(uarts[i]) = byte;
    }
}

void chip_write(const uint8_t *bytes, uint16_t size)
{
    for (; size; size--)
        send(*bytes++);
}

void chip_flush(void)
{
    for (uint32_t i = 0; i < UARTS; i++)
        wait_for(&UART_ISR(uarts[i]), ISR_TC, PATIENCE);
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
    GPIO_BSRR(GPIOE) = 1u << MARK_PIN;
}

void chip_mark_lower(void)
{
    GPIO_BSRR(GPIOE) = 1u << (MARK_PIN + 16u);
}
