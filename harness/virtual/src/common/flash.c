/* SPDX-License-Identifier: MIT
 * flash.c -- flash memory that outlives the process. See host.h. */
#include "host_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int say(const char *path, const char *what)
{
    fprintf(stderr, "flash file %s: %s\n", path, what);
    return -1;
}

static bool read_all(int fd, uint8_t *to, size_t size)
{
    while (size > 0) {
        ssize_t n = read(fd, to, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        to += n;
        size -= (size_t)n;
    }
    return true;
}

static bool write_all(int fd, const uint8_t *from, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, from, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        from += n;
        size -= (size_t)n;
    }
    return true;
}

int flash_read(const char *path, uint8_t *image, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : say(path, strerror(errno));
    struct stat info;
    bool fits = fstat(fd, &info) == 0 && info.st_size == (off_t)size;
    bool loaded = fits && read_all(fd, image, size);
    close(fd);
    if (!fits)
        return say(path, "has not the size of this board's flash");
    return loaded ? 1 : say(path, "cannot be read");
}

static void save(flash_file *f)
{
    int fd = open(f->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool saved = fd >= 0 && write_all(fd, f->image, f->size) && fsync(fd) == 0;
    if (fd >= 0)
        saved = close(fd) == 0 && saved;
    if (!saved || rename(f->temporary, f->path) != 0) {
        say(f->path, strerror(errno));
        unlink(f->temporary);
    }
}

int flash_attach(flash_file *f, const char *dir, uint8_t *image, size_t size)
{
    int n = snprintf(f->path, sizeof f->path, "%s/flash.bin", dir);
    if (n < 0 || (size_t)n >= sizeof f->path)
        return say(dir, "path too long");
    snprintf(f->temporary, sizeof f->temporary, "%s.new", f->path);
    f->image = image;
    f->size = size;
    f->changed_ns = 0;
    return flash_read(f->path, image, size);
}

void flash_service(flash_file *f, int64_t now_ns, int64_t settle_ns)
{
    if (f->changed_ns == 0 || now_ns - f->changed_ns < settle_ns)
        return;
    save(f);
    f->changed_ns = 0;
}
