/* SPDX-License-Identifier: MIT
 * options.c -- the command line of a virtual board. See host.h. */
#include "host_parts.h"

#include <stdio.h>
#include <string.h>

static void print_usage(FILE *out, const host_config *config)
{
    fprintf(out, "usage: %s --state-dir DIR --port-link PATH --control PATH [--board NAME]"
                 " [--owner-stdin] [--realtime] [--fault SPEC]", config->program);
    for (size_t i = 0; i < config->n_options; i++) {
        const host_option *o = &config->options[i];
        fprintf(out, o->required ? " %s %s" : " [%s %s]", o->name, o->meta);
    }
    fputc('\n', out);
}

static int complain(const host_config *config, const char *what, const char *name)
{
    fprintf(stderr, "%s: %s %s\n", config->program, what, name);
    print_usage(stderr, config);
    return 2;
}

/* Where the value of option `name` goes, or NULL if there is no such option. */
static const char **value_slot(options *o, const host_config *config, const char *name)
{
    if (strcmp(name, "--state-dir") == 0)
        return &o->state_dir;
    if (strcmp(name, "--port-link") == 0)
        return &o->port_link;
    if (strcmp(name, "--control") == 0)
        return &o->control;
    if (strcmp(name, "--board") == 0)
        return &o->board;
    if (strcmp(name, "--fault") == 0)
        return &o->fault;
    for (size_t i = 0; i < config->n_options; i++)
        if (strcmp(name, config->options[i].name) == 0)
            return config->options[i].value;
    return NULL;
}

static int check_required(const options *o, const host_config *config)
{
    if (!o->state_dir)
        return complain(config, "missing", "--state-dir");
    if (!o->port_link)
        return complain(config, "missing", "--port-link");
    if (!o->control)
        return complain(config, "missing", "--control");
    for (size_t i = 0; i < config->n_options; i++)
        if (config->options[i].required && !*config->options[i].value)
            return complain(config, "missing", config->options[i].name);
    return HOST_READY;
}

int options_parse(options *o, const host_config *config, int argc, char **argv)
{
    *o = (options){.board = config->board};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_usage(stdout, config);
            return 0;
        }
        if (strcmp(argv[i], "--owner-stdin") == 0) {
            o->owner_stdin = true;
        } else if (strcmp(argv[i], "--realtime") == 0) {
            o->realtime = true;
        } else {
            const char **slot = value_slot(o, config, argv[i]);
            if (!slot)
                return complain(config, "unknown argument", argv[i]);
            if (i + 1 == argc)
                return complain(config, "no value for", argv[i]);
            *slot = argv[++i];
        }
    }
    return check_required(o, config);
}
