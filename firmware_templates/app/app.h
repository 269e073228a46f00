/* SPDX-License-Identifier: MIT
 *
 * app.h -- the request loop of docs/link.md, the same on every board. */
#ifndef APP_H
#define APP_H

#ifdef __cplusplus
extern "C" {
#endif

/* Hardware up, overhead measured, banner sent. */
void app_start(void);

/* Serve every byte that is waiting, then sleep until there may be more. Call for ever. */
void app_poll(void);

#ifdef __cplusplus
}
#endif

#endif
