/* SPDX-License-Identifier: MIT
 * trouble.c -- faults on request: what `--fault SPEC` does to the line and to the board. The words
 * of SPEC are explained in docs/faults.md; harness/virtual/faults.py checks them before we see them.
 * See host_parts.h. */
#include "host_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS 1000000LL
#define UPLOAD_BYTES 300        /* more than a client sends that only asks who is there */
#define FOR_EVER UINT64_MAX

static int say(const char *item, const char *what)
{
    fprintf(stderr, "--fault %s: %s\n", item, what);
    return -1;
}

/* ---- the words ---- */

static bool whole(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return !errno && end != text && !*end;
}

static bool rate(const char *text, uint32_t *value)
{
    char *end;
    double share = strtod(text, &end);
    if (end == text || *end || !(share >= 0 && share <= 1))
        return false;
    *value = (uint32_t)(share * (double)UINT32_MAX);
    return true;
}

static bool milliseconds(const char *text, int64_t *ns)
{
    uint64_t ms;
    if (!whole(text, &ms) || ms > 3600000)
        return false;
    *ns = (int64_t)ms * NS_PER_MS;
    return true;
}

/* `N`: once, at the Nth byte that the program receives; `N+`: again after every reset. */
static bool moment(const char *text, trouble_moment *m)
{
    char number[24];
    size_t size = strlen(text);
    m->again = size > 1 && text[size - 1] == '+';
    size -= m->again;
    if (size == 0 || size >= sizeof number)
        return false;
    memcpy(number, text, size);
    number[size] = '\0';
    return whole(number, &m->at) && m->at > 0;
}

/* `N:MS` */
static bool absence(trouble *t, char *text)
{
    char *colon = strchr(text, ':');
    if (!colon)
        return false;
    *colon = '\0';
    return milliseconds(colon + 1, &t->absent_ns) && moment(text, &t->moments[TROUBLE_VANISH]);
}

static bool count(const char *text, uint64_t *value)
{
    if (!*text) {
        *value = FOR_EVER;
        return true;
    }
    return whole(text, value);
}

static bool uploads(trouble *t, const char *text)
{
    t->every_other_upload = strcmp(text, "odd") == 0;
    return t->every_other_upload || whole(text, &t->failing_uploads);
}

static const char *const MOMENTS[TROUBLE_MOMENTS] = {"hang", "deaf", "reset", "brown-out",
                                                     "vanish"};
static const char *const RATES[TROUBLE_RATES] = {"flip", "drop", "dup"};

static bool set_rate(trouble *t, const char *name, const char *value)
{
    bool boot = strncmp(name, "boot-", 5) == 0;
    for (int i = 0; i < TROUBLE_RATES; i++)
        if (strcmp(boot ? name + 5 : name, RATES[i]) == 0)
            return rate(value, &t->rates[boot][i]);
    return false;
}

static bool set_moment(trouble *t, const char *name, const char *value)
{
    for (int i = 0; i < TROUBLE_VANISH; i++)
        if (strcmp(name, MOMENTS[i]) == 0)
            return moment(value, &t->moments[i]);
    return false;
}

static bool set(trouble *t, const char *name, char *value)
{
    if (strcmp(name, "seed") == 0)
        return whole(value, &t->random);
    if (strcmp(name, "delay") == 0)
        return milliseconds(value, &t->delay_ns);
    if (strcmp(name, "slow-boot") == 0)
        return milliseconds(value, &t->slow_boot_ns);
    if (strcmp(name, "stuck") == 0)
        return count(value, &t->stuck_starts);
    if (strcmp(name, "bad-uploads") == 0)
        return uploads(t, value);
    if (strcmp(name, "firmware") == 0)
        return (t->firmware_path = strdup(value)) != NULL;
    if (strcmp(name, "vanish") == 0)
        return absence(t, value);
    return set_rate(t, name, value) || set_moment(t, name, value);
}

int trouble_parse(trouble *t, const char *spec)
{
    static char nothing[] = "";
    if (!spec)
        return 0;
    char *words = strdup(spec), *rest = words;
    int status = words ? 0 : -1;
    for (char *item; status == 0 && (item = strsep(&rest, ","));) {
        char *value = strchr(item, '=');
        if (value)
            *value++ = '\0';
        if (!set(t, item, value ? value : nothing))
            status = say(spec, item);
    }
    free(words);
    return status;
}

/* ---- chance: splitmix64, seeded; the same bytes meet the same faults ---- */

static uint32_t draw(trouble *t)
{
    uint64_t z = t->random += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)(z >> 32);
}

static bool strikes(trouble *t, int kind)
{
    uint32_t share = t->rates[t->bootloader][kind];
    return share && draw(t) < share;
}

/* How often the byte passes: 0, 1 or 2 times; one of its bits may be another. */
static int disturb(trouble *t, uint8_t *byte)
{
    if (strikes(t, TROUBLE_DROP))
        return 0;
    if (strikes(t, TROUBLE_FLIP))
        *byte ^= (uint8_t)(1u << (draw(t) & 7));
    return strikes(t, TROUBLE_DUP) ? 2 : 1;
}

/* ---- moments ---- */

static void look_at_moments(trouble *t)
{
    t->received++;
    t->received_since_reset++;
    for (int i = 0; i < TROUBLE_MOMENTS; i++) {
        const trouble_moment *m = &t->moments[i];
        if (m->at && m->at == (m->again ? t->received_since_reset : t->received))
            t->due |= 1u << i;
    }
}

unsigned trouble_take_due(trouble *t)
{
    unsigned due = t->due;
    t->due = 0;
    t->hung = t->hung || (due & 1u << TROUBLE_HANG);
    t->deaf = t->deaf || (due & 1u << TROUBLE_DEAF);
    return due;
}

void trouble_reset(trouble *t)
{
    t->hung = t->deaf = false;
    t->silent_until_ns = 0;
    t->received_since_reset = 0;
}

/* ---- uploads ---- */

static bool upload_fails(const trouble *t)
{
    return t->every_other_upload ? t->uploads % 2 == 1 : t->uploads <= t->failing_uploads;
}

static void count_upload(trouble *t)
{
    if (++t->session_bytes != UPLOAD_BYTES)
        return;
    t->uploads++;
    t->upload_dead = upload_fails(t);
}

void trouble_opened(trouble *t)
{
    t->session_bytes = 0;
    t->upload_dead = false;
}

/* ---- stages ---- */

void trouble_stage(trouble *t, bool bootloader, int64_t now_ns)
{
    if (t->bootloader && !bootloader && t->slow_boot_ns)
        t->silent_until_ns = now_ns + t->slow_boot_ns;
    t->bootloader = bootloader;
}

bool trouble_refuses_start(trouble *t)
{
    if (t->stuck_starts == 0)
        return false;
    if (t->stuck_starts != FOR_EVER)
        t->stuck_starts--;
    return true;
}

/* ---- bytes ---- */

bool trouble_listens(const trouble *t) { return !t->deaf; }

int trouble_receive(trouble *t, byte_queue *rx)
{
    if (t->again) {
        t->again = false;
        return t->repeated;
    }
    for (int byte; (byte = bytes_pop(rx)) >= 0;) {
        uint8_t seen = (uint8_t)byte;
        if (t->bootloader)
            count_upload(t);
        else
            look_at_moments(t);
        int times = disturb(t, &seen);
        if (times == 0 || t->hung || t->due)
            continue;
        t->again = times == 2;
        t->repeated = seen;
        return seen;
    }
    return -1;
}

size_t trouble_waiting(const trouble *t, const byte_queue *rx) { return bytes_count(rx) + t->again; }

bool trouble_send(trouble *t, byte_queue *tx, uint8_t byte)
{
    if (t->hung || t->upload_dead)
        return true;
    bool room = true;
    for (int times = disturb(t, &byte); times > 0; times--)
        room = bytes_push(tx, byte);
    return room;
}

/* Notes when the queue has grown; what was noted long enough ago may leave. */
uint32_t trouble_release(trouble *t, const byte_queue *tx, int64_t now_ns)
{
    if (t->delay_ns == 0) {
        t->released = now_ns < t->silent_until_ns ? t->released : tx->tail;
        return t->released;
    }
    const uint32_t mask = TROUBLE_NOTES - 1;
    if (tx->tail != t->noted) {
        bool full = t->note_tail - t->note_head == TROUBLE_NOTES;
        t->note_tail += !full;
        t->notes[(t->note_tail - 1) & mask] = (trouble_note){tx->tail, now_ns};
        t->noted = tx->tail;
    }
    for (; t->note_head != t->note_tail; t->note_head++) {
        const trouble_note *n = &t->notes[t->note_head & mask];
        if (now_ns < n->since_ns + t->delay_ns || now_ns < t->silent_until_ns)
            break;
        t->released = n->tail;
    }
    return t->released;
}
