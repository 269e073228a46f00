/* SPDX-License-Identifier: MIT
 *
 * probe.h -- what a debug probe does: an image straight into flash, without bootloader and line. */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>

#include "machine.h"

/* `arguments` are an address and a file name. Erases from there to the end of flash and writes the
 * file. False, with nothing changed, when the file cannot be read or does not fit. */
bool probe_load(struct image flash, const char *arguments);

#endif
