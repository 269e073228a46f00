/* SPDX-License-Identifier: MIT
 *
 * samd21.h -- the registers of the SAM D21 and its Cortex-M0+ that this firmware uses.
 * Ref: Microchip SAM D21/DA1 Family data sheet, DS40001882, the chapter named by each block;
 *      ARMv6-M Architecture Reference Manual, ARM DDI 0419, sections B3.2 to B3.4. */
#ifndef SAMD21_H
#define SAMD21_H

#include <stdint.h>

#define REG8(address) (*(volatile uint8_t *)(address))
#define REG16(address) (*(volatile uint16_t *)(address))
#define REG32(address) (*(volatile uint32_t *)(address))

/* PM: Power Manager. */
#define PM_APBCMASK REG32(0x40000420u)
#define PM_APBCMASK_SERCOM5 (1u << 7)

/* DMAC: Direct Memory Access Controller; its descriptors lie in RAM. */
#define DMAC_CTRL REG16(0x41004800u)
#define DMAC_CTRL_DMAENABLE (1u << 1)
#define DMAC_CTRL_LVLEN0 (1u << 8)
#define DMAC_QOSCTRL REG8(0x4100480Eu)
#define DMAC_BASEADDR REG32(0x41004834u)
#define DMAC_WRBADDR REG32(0x41004838u)
#define DMAC_CHID REG8(0x4100483Fu)
#define DMAC_CHCTRLA REG8(0x41004840u)
#define CHCTRLA_ENABLE (1u << 1)
#define DMAC_CHCTRLB REG32(0x41004844u)
#define CHCTRLB_TRIGSRC_SERCOM5_RX (0x0Bu << 8)
#define CHCTRLB_TRIGACT_BEAT (2u << 22)
#define BTCTRL_VALID 1u
#define BTCTRL_DSTINC (1u << 11)

/* "SRAM Quality of Service": the priority of the core's accesses, 0 to 3. */
#define SBMATRIX_SFR_CPU REG32(0x4100711Cu)
#define QOS_HIGHEST 3u
#define QOS_BACKGROUND 0u

/* SYSCTRL: System Controller. */
#define SYSCTRL_PCLKSR REG32(0x4000080Cu)
#define PCLKSR_XOSC32KRDY (1u << 1)
#define PCLKSR_DFLLRDY (1u << 4)
#define PCLKSR_DFLLLCKF (1u << 6)
#define PCLKSR_DFLLLCKC (1u << 7)
#define SYSCTRL_XOSC32K REG16(0x40000814u)
#define XOSC32K_ENABLE (1u << 1)
#define XOSC32K_XTALEN (1u << 2)
#define XOSC32K_EN32K (1u << 3)
#define XOSC32K_STARTUP(x) ((x) << 8)
#define SYSCTRL_OSC8M REG32(0x40000820u)
#define OSC8M_PRESC_8 (3u << 8)
#define SYSCTRL_DFLLCTRL REG16(0x40000824u)
#define DFLLCTRL_ENABLE (1u << 1)
#define DFLLCTRL_MODE (1u << 2)             /* closed loop */
#define DFLLCTRL_QLDIS (1u << 9)            /* quick lock off */
#define DFLLCTRL_WAITLOCK (1u << 11)
#define SYSCTRL_DFLLVAL REG32(0x40000828u)
#define DFLLVAL_COARSE(x) ((uint32_t)(x) << 10)
#define DFLLVAL_FINE(x) ((uint32_t)(x))
#define SYSCTRL_DFLLMUL REG32(0x4000082Cu)
#define DFLLMUL_CSTEP(x) ((uint32_t)(x) << 26)
#define DFLLMUL_FSTEP(x) ((uint32_t)(x) << 16)

/* "NVM Software Calibration Area Mapping": DFLL48M coarse value in bits 58 to 63. */
#define NVM_CALIBRATION_HIGH REG32(0x00806024u)

/* GCLK: Generic Clock Controller. */
#define GCLK_CTRL REG8(0x40000C00u)
#define GCLK_CTRL_SWRST 1u
#define GCLK_STATUS REG8(0x40000C01u)
#define GCLK_STATUS_SYNCBUSY (1u << 7)
#define GCLK_CLKCTRL REG16(0x40000C02u)
#define CLKCTRL_ID_DFLL48_REF 0x00u
#define CLKCTRL_ID_SERCOM5_CORE 0x19u
#define CLKCTRL_GEN(x) ((x) << 8)
#define CLKCTRL_CLKEN (1u << 14)
#define GCLK_GENCTRL REG32(0x40000C04u)
#define GENCTRL_ID(x) ((uint32_t)(x))
#define GENCTRL_SRC_XOSC32K (0x05u << 8)
#define GENCTRL_SRC_DFLL48M (0x07u << 8)
#define GENCTRL_GENEN (1u << 16)
#define GENCTRL_IDC (1u << 17)
#define GCLK_GENDIV REG32(0x40000C08u)

/* NVMCTRL: Non-Volatile Memory Controller. */
#define NVMCTRL_CTRLB REG32(0x41004004u)
#define CTRLB_RWS_1 (1u << 1)
#define CTRLB_MANW (1u << 7)

/* PORT; group A through the single-cycle IOBUS, group B through the APB bridge. */
#define IOBUS_DIRSETA REG32(0x60000008u)
#define IOBUS_OUTCLRA REG32(0x60000014u)
#define IOBUS_OUTSETA REG32(0x60000018u)
#define PORTB_PMUX11 REG8(0x410044BBu)      /* PB22 low half, PB23 high half */
#define PORTB_PINCFG22 REG8(0x410044D6u)
#define PORTB_PINCFG23 REG8(0x410044D7u)
#define PINCFG_PMUXEN 1u
#define PMUX_FUNCTION_D 3u

/* SERCOM5: SERCOM USART. */
#define USART_CTRLA REG32(0x42001C00u)
#define CTRLA_SWRST 1u
#define CTRLA_ENABLE (1u << 1)
#define CTRLA_MODE_INTERNAL (1u << 2)
#define CTRLA_TXPO_PAD2 (1u << 16)
#define CTRLA_RXPO_PAD3 (3u << 20)
#define CTRLA_DORD_LSB (1u << 30)
#define USART_CTRLB REG32(0x42001C04u)
#define CTRLB_TXEN (1u << 16)
#define CTRLB_RXEN (1u << 17)
#define USART_BAUD REG16(0x42001C0Cu)
#define USART_INTENSET REG8(0x42001C16u)
#define USART_INTFLAG REG8(0x42001C18u)
#define USART_DRE 1u
#define USART_TXC (1u << 1)
#define USART_RXC (1u << 2)
#define USART_STATUS REG16(0x42001C1Au)
#define STATUS_BUFOVF (1u << 2)
#define USART_SYNCBUSY REG32(0x42001C1Cu)
#define USART_DATA REG16(0x42001C28u)
#define SERCOM5_IRQ 14u

/* System timer, NVIC, system control block. */
#define SYST_CSR REG32(0xE000E010u)
#define CSR_ENABLE 1u
#define CSR_CLKSOURCE (1u << 2)
#define CSR_COUNTFLAG (1u << 16)
#define SYST_RVR REG32(0xE000E014u)
#define SYST_CVR REG32(0xE000E018u)
#define NVIC_ISER REG32(0xE000E100u)
#define SCB_VTOR REG32(0xE000ED08u)
#define SCB_AIRCR REG32(0xE000ED0Cu)
#define AIRCR_SYSRESETREQ 0x05FA0004u

static inline void irq_off(void)
{
    __asm__ volatile("cpsid i" ::: "memory");
}

static inline void irq_on(void)
{
    __asm__ volatile("cpsie i" ::: "memory");
}

/* Defined by hal_samd21.c, entered in the vector table of startup_samd21.c. */
void sercom5_interrupt(void);

#endif
