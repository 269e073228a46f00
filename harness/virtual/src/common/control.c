/* SPDX-License-Identifier: MIT
 * control.c -- the control socket: a word in, a line of JSON out. See host.h. */
#include "host_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int say(const char *path, const char *what)
{
    fprintf(stderr, "control socket %s: %s\n", path, what);
    return -1;
}

/* A socket left behind by a board that was killed is in the way; anything else is not ours. */
static bool remove_stale(const char *path)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return errno == ENOENT;
    return S_ISSOCK(info.st_mode) && unlink(path) == 0;
}

static int listen_at(control *c, const struct sockaddr_un *address)
{
    c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->listener < 0)
        return say(c->path, strerror(errno));
    if (bind(c->listener, (const struct sockaddr *)address, sizeof *address) != 0)
        return say(c->path, strerror(errno));
    struct stat info;
    if (lstat(c->path, &info) != 0 || listen(c->listener, SOMAXCONN) != 0)
        return say(c->path, strerror(errno));
    c->device = info.st_dev;
    c->inode = info.st_ino;
    return 0;
}

int control_open(control *c, const char *path)
{
    c->path = path;
    c->listener = -1;
    for (int i = 0; i < CONTROL_CLIENTS; i++)
        c->clients[i].fd = -1;

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return say(path, "path too long for a unix socket");
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (!remove_stale(path))
        return say(path, "exists and is not a socket");
    return listen_at(c, &address);
}

/* A new board takes the name over; atomically, as the port's link. */
int control_make_link(control *c, const char *port_link)
{
    char temporary[520];
    int n = snprintf(c->link, sizeof c->link, "%s.control", port_link);
    if (n < 0 || (size_t)n >= sizeof c->link)
        return say(port_link, "path too long");
    snprintf(temporary, sizeof temporary, "%s.new", c->link);
    unlink(temporary);
    if (symlink(c->path, temporary) != 0 || rename(temporary, c->link) != 0)
        return say(c->link, strerror(errno));
    return 0;
}

static void remove_link(const control *c)
{
    char target[sizeof(struct sockaddr_un)];
    ssize_t n = readlink(c->link, target, sizeof target - 1);
    if (n < 0)
        return;
    target[n] = '\0';
    if (strcmp(target, c->path) == 0)
        unlink(c->link);
}

static void drop(control_client *client)
{
    close(client->fd);
    client->fd = -1;
    client->used = 0;
}

void control_close(control *c)
{
    for (int i = 0; i < CONTROL_CLIENTS; i++)
        if (c->clients[i].fd >= 0)
            drop(&c->clients[i]);
    if (c->link[0])
        remove_link(c);
    if (c->listener < 0)
        return;
    close(c->listener);
    c->listener = -1;
    struct stat info;
    if (c->inode != 0 && lstat(c->path, &info) == 0 && info.st_dev == c->device &&
        info.st_ino == c->inode)
        unlink(c->path);
}

static void accept_clients(control *c)
{
    for (int i = 0; i < CONTROL_CLIENTS; i++) {
        control_client *client = &c->clients[i];
        if (client->fd >= 0)
            continue;
        client->fd = accept4(c->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        client->used = 0;
        if (client->fd < 0)
            return;
    }
}

/* Answers one request; false when the client does not take the answer. */
static bool answer(const control_client *client, const char *word, const host_config *config,
                   unsigned *events)
{
    char text[CONTROL_ANSWER];
    *events |= HOST_REQUEST;
    if (strcmp(word, "quit") == 0) {
        *events |= HOST_QUIT;
        snprintf(text, sizeof text, "{\"ok\":true}");
    } else if (!config->request(config->context, word, text, sizeof text - 1)) {
        char quoted[CONTROL_LINE];
        snprintf(text, sizeof text, "{\"error\":\"unknown request\",\"request\":%s}",
                 host_json_string(quoted, sizeof quoted, word));
    }
    size_t size = strlen(text);
    text[size++] = '\n';
    return send(client->fd, text, size, MSG_NOSIGNAL) == (ssize_t)size;
}

/* Answers every complete line in the buffer; false when the client must go. */
static bool answer_lines(control_client *client, const host_config *config, unsigned *events)
{
    char *start = client->line;
    char *end = client->line + client->used;
    for (char *newline; (newline = memchr(start, '\n', (size_t)(end - start)));
         start = newline + 1) {
        *newline = '\0';
        if (newline > start && newline[-1] == '\r')
            newline[-1] = '\0';
        if (!answer(client, start, config, events))
            return false;
    }
    client->used = (size_t)(end - start);
    memmove(client->line, start, client->used);
    return client->used < sizeof client->line;     /* else: a line longer than any request */
}

/* A few reads at most, so that a client that never stops asking cannot hold the board up. */
static void serve(control_client *client, const host_config *config, unsigned *events)
{
    for (int reads = 0; reads < 4; reads++) {
        ssize_t n = read(client->fd, client->line + client->used,
                         sizeof client->line - client->used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n > 0) {
            client->used += (size_t)n;
            if (answer_lines(client, config, events))
                continue;
        }
        drop(client);
        return;
    }
}

unsigned control_service(control *c, const host_config *config)
{
    unsigned events = 0;
    accept_clients(c);
    for (int i = 0; i < CONTROL_CLIENTS; i++)
        if (c->clients[i].fd >= 0)
            serve(&c->clients[i], config, &events);
    return events;
}
