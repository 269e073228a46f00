/* SPDX-License-Identifier: MIT
 *
 * status.h -- the answer to `status` on the control socket (docs/virtual-boards.md). */
#ifndef STATUS_H
#define STATUS_H

#include <stddef.h>

struct board;

/* One JSON object, no newline, of the board called `name` (no quotes in it). Returns as snprintf
 * does. */
int status_write(const struct board *board, const char *name, char *out, size_t size);

/* `{"reason":...,"pc":...,"address":...}`, or `null` without a fault since reset. */
int status_write_fault(const struct board *board, char *out, size_t size);

#endif
