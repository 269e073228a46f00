/* SPDX-License-Identifier: MIT
 *
 * applet.h -- a program that an uploader put into RAM, run by the monitor's `G` until it returns. */
#ifndef APPLET_H
#define APPLET_H

#include "cpu.h"

/* Ten seconds at 48 MHz, then it is stopped. */
#define APPLET_CYCLES 480000000u

/* SP = [vectors], PC = [vectors + 4], LR = `home`, which may be any address that no applet runs to
 * by itself. Runs on the simulated core until it is there, faults, sleeps or takes too long. */
void applet_run(struct cpu *cpu, uint32_t vectors, uint32_t home);

#endif
